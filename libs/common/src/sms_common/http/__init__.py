"""What every HTTP server and client here needs."""
