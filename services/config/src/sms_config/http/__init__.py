"""The HTTP API and the portal's files."""
