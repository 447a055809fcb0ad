"""Access to a gateway: its HTTP APIs and its broker."""
