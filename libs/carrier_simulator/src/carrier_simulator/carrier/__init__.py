"""What every simulated carrier needs: time, accounts, queues, media, scripted outcomes and faults."""
