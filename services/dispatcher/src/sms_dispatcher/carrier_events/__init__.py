"""What carriers report: texts that arrive, and receipts for what was sent."""
