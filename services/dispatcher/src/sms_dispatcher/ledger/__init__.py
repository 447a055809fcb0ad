"""Every message's one true state, in MongoDB."""
