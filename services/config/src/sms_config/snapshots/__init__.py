"""What the other services get to know of the configuration, and that it changed."""
