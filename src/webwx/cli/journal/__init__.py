"""Commands for what is stored: journals, databases and backups."""
