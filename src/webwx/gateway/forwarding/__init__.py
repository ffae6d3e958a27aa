"""Requests that one node of a cluster passes to the node that owns the account."""
