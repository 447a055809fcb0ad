"""The read API: messages, lanes, and why a text would go the way it goes."""
