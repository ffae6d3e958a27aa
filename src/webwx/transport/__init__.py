"""I/O, and only I/O: what drives flows, and what carries their requests."""
