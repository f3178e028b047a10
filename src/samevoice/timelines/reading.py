"""How people read a timeline: moments as a clock shows them, and a few rows in place of thousands.

Knows: numbers. Does not know: what is measured, where it is shown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def clock(seconds: float, *, decimals: int = 1) -> str:
    """Minutes and seconds, "1:02.5"; with hours where there are any, "1:00:02.5".

    Args:
        seconds: >= 0 and finite.
        decimals: of the seconds, >= 0.
    """
    scale: int = 10**decimals
    whole, part = divmod(round(seconds * scale), scale)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest:02d}" + (f".{part:0{decimals}d}" if decimals else "")


def groups(count: int, most: int) -> NDArray[np.intp]:
    """The first of each of at most so many groups of neighbours, as equal in size as they can be, shape (k,).

    Args:
        count: of what is grouped, >= 1.
        most: groups, >= 1.
    """
    few = min(count, most)
    return np.arange(few) * count // few
