"""The command line: words and exit codes, no logic."""
