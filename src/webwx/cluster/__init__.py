"""Accounts on several machines: each account has one owner, which is fenced."""
