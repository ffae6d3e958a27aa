"""The gateway: one local API for several accounts."""
