"""Commands for accounts: login, contacts, chatrooms and identities."""
