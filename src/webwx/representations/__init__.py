"""
The bodies of the requests and answers of the gateway's HTTP API.

The gateway and its Python client both use these structs, so each body is defined once.
"""
