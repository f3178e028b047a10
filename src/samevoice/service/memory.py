"""How much memory this process has.

Knows: what each system tells. Does not know: anything else.
"""

from __future__ import annotations

import os
from pathlib import Path

STATM = Path("/proc/self/statm")


def resident_mb() -> float | None:
    """Resident memory in MB; None where the system does not tell it in a file."""
    try:
        pages = int(STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
