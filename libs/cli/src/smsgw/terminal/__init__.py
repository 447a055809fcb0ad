"""The command line: options, output, errors and exit status."""
