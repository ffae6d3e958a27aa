"""Sends, transfers of media, and the limits on both."""
