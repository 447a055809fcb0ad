"""Bandwidth as it is played: its HTTP calls, its status events, its inbound messages."""
