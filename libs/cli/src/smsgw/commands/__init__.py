"""The commands that send, watch and look up messages."""
