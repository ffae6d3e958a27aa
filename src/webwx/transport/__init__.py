"""I/O, and only I/O: the runner of flows, and the transports that send their requests."""
