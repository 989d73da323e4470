"""Durations as people write them on a command line."""

import re
from argparse import ArgumentTypeError

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw]?)")


def seconds(text: str) -> int:
    """Seconds of ``90``, ``90s``, ``30m``, ``12h``, ``7d`` or ``2w``. Raises ArgumentTypeError."""
    found = _DURATION.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ArgumentTypeError(f"{text!r} is no duration such as 90s, 30m, 12h or 7d")
    return int(found[1]) * _UNITS_S[found[2]]
