"""What runs and what is stuck: parked messages, tests, history, live updates."""
