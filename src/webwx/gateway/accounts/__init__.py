"""The accounts as handlers and background work use them: their events, logins, consumers and media."""
