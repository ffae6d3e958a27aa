"""
The components of a client that uses a gateway: they call its HTTP API in place of the platform.

Each offers the methods of the component of the same topic, as far as the API has them.
"""
