"""Entries of the proxy's table."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Route:
    """Requests under ``routespec`` (``[host]/path/``) go to ``target`` (a URL)."""

    routespec: str
    target: str
    data: dict[str, Any] = field(default_factory=dict)
