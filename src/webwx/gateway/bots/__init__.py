"""Bots inside the gateway."""
