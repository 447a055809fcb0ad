"""One attempt after another until a message is final, and what the PBX is told of it."""
