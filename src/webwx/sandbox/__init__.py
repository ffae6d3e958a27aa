"""A real server of the protocol, for tests and offline work: `core` answers requests, `serve` puts it on a port."""
