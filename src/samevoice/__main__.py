"""`python -m samevoice` is the `samevoice` command."""

from samevoice.cli.main import main

main()
