"""The gateway from a terminal: send, watch, explain, look into parked messages, move configuration, find faults."""
