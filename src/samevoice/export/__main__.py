"""`python -m samevoice.export FOLDER`: write every skeleton."""

from __future__ import annotations

import sys

from samevoice.export.skeleton import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
