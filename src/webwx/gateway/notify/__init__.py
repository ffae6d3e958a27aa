"""
Receivers: they turn requests in the formats of existing programs into messages.

Everything here is a pure function or a value: no sockets, no files, no clock. The HTTP layer finds the receiver of a
request with `registry.match`, looks up the token, calls `registry.read`, stores the message in the outbox, and sends
the answer that the receiver builds.
"""
