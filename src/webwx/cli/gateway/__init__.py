"""Commands for servers: the gateway, workers, and what both are set up with."""
