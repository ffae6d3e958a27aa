"""Unofficial client for the WeChat web protocol."""
