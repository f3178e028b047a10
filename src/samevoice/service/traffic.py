"""How often a caller may ask: a moving window of one minute for each.

Knows: counts by name, in memory. Does not know: requests, keys.
"""

from __future__ import annotations

import hashlib
import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from samevoice.service.problems import Refusal


class Traffic:
    """Counts requests by name.

    Args:
        per_minute: requests of one caller.
    """

    def __init__(self, per_minute: int) -> None:
        """Begin with empty windows."""
        self._per_minute = per_minute
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def count(self, *names: str, per_minute: int | None = None) -> None:
        """Count one request, or refuse it.

        Args:
            names: what is counted, such as ("login", caller, person).
            per_minute: how many are allowed; by default the requests of a caller.

        Raises:
            Refusal: 429, too many.
        """
        limit = RateLimitItemPerMinute(per_minute or self._per_minute)
        # Joined as they are, "a" and "b/c" would count with "a/b" and "c"; and a name may be long.
        short = [hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32] for name in names]
        if not self._windows.hit(limit, *short):
            # The oldest of the window leaves it then.
            reset = self._windows.get_window_stats(limit, *short).reset_time
            wait = max(1, math.ceil(reset - time.time()))
            raise Refusal(
                429, "rate", f"too many requests in one minute; wait {wait} s and try again", retry_after=wait
            )
