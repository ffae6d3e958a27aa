"""What runs on top of a client: events to handlers, each once and in order, whatever they do."""
