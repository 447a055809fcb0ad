"""The person or program at the other end: options, output, errors and exit status."""
