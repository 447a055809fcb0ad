"""A text each way through a running gateway, and what they need in its configuration."""
