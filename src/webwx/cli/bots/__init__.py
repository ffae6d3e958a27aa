"""Commands for programs of users: run, make and restart bots."""
