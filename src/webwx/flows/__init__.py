"""
Conversations: generators that yield a `Request` and receive a `Response`.

Each is written once and driven by whoever does the I/O. A flow never sleeps, reads a clock or throws dice: times and
ids come in as arguments, and where a person must act the conversation is cut in two.
"""
