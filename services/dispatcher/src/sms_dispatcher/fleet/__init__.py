"""Which dispatcher works on which lane and tenant."""
