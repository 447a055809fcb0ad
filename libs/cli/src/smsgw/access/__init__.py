"""The ways into a gateway: its settings, its HTTP APIs, its broker."""
