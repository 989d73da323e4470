"""How often one token may call the API.

The generic cell rate algorithm: of each token only the moment is kept at which its
allowance is whole again, so a token costs one number however many calls it makes.
"""

import math
import time
from collections.abc import Callable

from perijove.domain.errors import TooMany

MAX_TOKENS = 10_000
"""Tokens that are remembered before those with a whole allowance are dropped."""

ROUNDING_S = 1e-6


class RateLimiter:
    """Refuses calls above a rate. A rate of 0: never."""

    def __init__(self, per_s: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        """``per_s``: calls per second in the long run; ``burst``: calls at once."""
        self._interval_s = 1 / per_s if per_s else 0.0
        self._allowance_s = self._interval_s * burst
        self._now = now
        self._whole_at: dict[int, float] = {}
        self._most = MAX_TOKENS

    def admit(self, token_id: int) -> None:
        """Count one call of a token. Raises TooMany with the seconds until the next may come."""
        if not self._interval_s:
            return
        now = self._now()
        whole_at = max(self._whole_at.get(token_id, now), now) + self._interval_s
        excess_s = whole_at - now - self._allowance_s
        if excess_s > ROUNDING_S:
            retry_s = max(1, math.ceil(excess_s))
            raise TooMany(
                f"This token calls the API too often; try again in {retry_s} s",
                retry_after_s=retry_s,
            )
        self._whole_at[token_id] = whole_at
        if len(self._whole_at) > self._most:
            self._whole_at = {key: at for key, at in self._whole_at.items() if at > now}
            # Busy tokens stay, and are not gone through again at each call.
            self._most = max(MAX_TOKENS, 2 * len(self._whole_at))
