"""Measures the gateway beside bare programs that do the least the job can be: `python -m benchmarks --help`."""
