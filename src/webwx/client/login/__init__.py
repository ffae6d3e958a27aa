"""Login, session and stored state of one account."""
