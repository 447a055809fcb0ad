"""Attempts to send a message until its status is final, and the statuses that are published to the PBX."""
