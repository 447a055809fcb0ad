"""What people and programs write, read as it was meant or refused with a sentence. No I/O."""
