"""Webhooks to the customer's web server, and a record of every request made."""
