"""Who may do what: keys, sessions of the console, and links that need no key."""
