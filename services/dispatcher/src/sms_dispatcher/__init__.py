"""The dispatcher: decides about every message, sends it, keeps its one true status and tells the PBX."""
