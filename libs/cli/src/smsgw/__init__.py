"""The gateway from a terminal: send, watch, explain, replay parked messages, move configuration, find faults."""
