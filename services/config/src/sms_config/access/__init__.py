"""Who may do what: scopes, keys, passwords, browsers."""
