"""A server of the protocol, for tests and offline work: `core` answers requests, and `serve` opens a port for it."""
