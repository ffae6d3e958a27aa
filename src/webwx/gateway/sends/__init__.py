"""Sends that the gateway makes in the background, and the files that they need."""
