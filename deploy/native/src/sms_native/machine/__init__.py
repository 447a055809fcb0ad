"""The machine that everything runs on: its processes, ports, packages and terminal."""
