"""The demonstration: a text in each direction through a running gateway, and the configuration for it."""
