"""The control API, with which tests and people set up the simulator and read what happened."""
