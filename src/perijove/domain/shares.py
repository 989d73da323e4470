"""Access to a server given to others, directly or by a code."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Share:
    """Scopes on one server given to one user or one group.

    ``server_ready`` is whether people could use the server when this was read.
    """

    id: int
    owner: str
    server_id: int
    server_name: str
    scopes: tuple[str, ...]
    created: datetime
    expires_at: datetime | None
    user: str | None
    group: str | None
    server_ready: bool = False


@dataclass(frozen=True, slots=True)
class ShareCode:
    """A code that whoever holds it can turn into a share; ``server_ready`` as in ``Share``."""

    id: int
    owner: str
    server_id: int
    server_name: str
    scopes: tuple[str, ...]
    created: datetime
    expires_at: datetime | None
    exchange_count: int
    last_exchanged_at: datetime | None
    server_ready: bool = False
