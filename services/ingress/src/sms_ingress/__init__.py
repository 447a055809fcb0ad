"""Ingress, the public edge: takes a carrier's webhooks, publishes what they say, and answers. It keeps no state."""
