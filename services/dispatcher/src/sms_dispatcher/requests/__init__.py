"""What PBXs ask for: a request is read, planned, routed, and recorded or refused."""
