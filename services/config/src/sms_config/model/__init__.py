"""What is stored, and how it is queried."""
