"""The dispatcher: decides about every message, sends it, records its status and publishes it to the PBX."""
