"""What carriers tell: texts that arrive, and receipts for what was sent."""
