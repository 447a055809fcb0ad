"""Reads what people and programs write, as it was meant, or refuses it with a sentence. No I/O."""
