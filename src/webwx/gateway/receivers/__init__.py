"""Receivers: addresses to which other programs send notifications."""
