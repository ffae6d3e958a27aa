"""Bots: a client's events go to handlers, each once and in order, also after failures and crashes."""
