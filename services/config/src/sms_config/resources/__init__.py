"""What an administrator makes and changes: each with its rules, audit and version."""
