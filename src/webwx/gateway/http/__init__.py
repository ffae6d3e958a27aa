"""The HTTP side of the listener: connections, hosts, open streams, refusals and times of requests."""
