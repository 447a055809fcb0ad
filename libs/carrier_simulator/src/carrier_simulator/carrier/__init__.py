"""What any simulated carrier needs: time, accounts, queues, media, and the outcomes and faults that a test scripts."""
