"""Contacts, chatrooms and identities."""
