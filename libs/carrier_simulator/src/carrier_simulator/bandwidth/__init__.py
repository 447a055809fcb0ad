"""The simulated Bandwidth: its HTTP calls, its status events, its inbound messages."""
