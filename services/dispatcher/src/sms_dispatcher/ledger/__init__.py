"""The state of every message, in MongoDB."""
