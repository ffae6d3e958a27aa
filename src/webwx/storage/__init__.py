"""Storage of journals, logins and media."""
