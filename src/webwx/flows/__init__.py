"""
Conversations: generators that yield a `Request` and receive a `Response`.

Each conversation is written once and driven by a runner that does the I/O. A flow never sleeps, reads a clock or draws
random numbers: times and ids are arguments. Where a person must act, the conversation is split in two flows.
"""
