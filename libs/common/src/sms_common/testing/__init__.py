"""Fakes for tests. They pass the same contract tests as the real thing."""
