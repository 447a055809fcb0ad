"""The control API: tests and people set things up with it and read what happened."""
