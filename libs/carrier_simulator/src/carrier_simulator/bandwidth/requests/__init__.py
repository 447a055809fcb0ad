"""What a request to Bandwidth may contain, and the answer when it breaks a rule."""
