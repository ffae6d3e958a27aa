"""A real server of the protocol, for tests and offline work: `core` answers requests, `serve` gives it a port."""
