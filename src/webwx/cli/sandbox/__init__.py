"""Commands for the sandbox: its server, its phones and its faults."""
