"""
The bodies of the gateway's HTTP API: what its server writes and reads, and its clients as well.

Each exists once, in this layer below both.
"""
