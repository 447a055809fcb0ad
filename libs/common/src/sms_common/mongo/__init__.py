"""What the services share of MongoDB."""
