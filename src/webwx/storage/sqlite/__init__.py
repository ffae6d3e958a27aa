"""The embedded engine: a journal in one SQLite file."""
