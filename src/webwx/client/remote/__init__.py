"""
The components of a client that uses a gateway: they call the HTTP API of the gateway instead of the platform.

Each component has those methods of its counterpart in `client` that the API supports.
"""
