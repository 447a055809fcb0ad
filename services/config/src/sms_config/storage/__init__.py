"""The configuration in MongoDB, and in memory for tests."""
