"""Identities of contacts across logins: their tables, the matching of a login's contacts, and what a user changes."""
