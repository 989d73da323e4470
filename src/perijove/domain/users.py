"""People, and services as callers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from perijove.domain.servers import Server


@dataclass(frozen=True, slots=True)
class User:
    """A person known to the hub. ``cookie_id`` changes to end all logins."""

    id: int
    name: str
    admin: bool
    created: datetime
    last_activity: datetime | None
    cookie_id: str
    user_info: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A service: a program that calls the hub, and may be routed at ``/services/NAME/``."""

    id: int
    name: str
    admin: bool = False
    url: str = ""
    command: tuple[str, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    display: bool = True
    from_config: bool = True
    oauth_no_confirm: bool = False
    oauth_client_id: str | None = None
    oauth_client_allowed_scopes: tuple[str, ...] = ()
    cwd: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""
    timeout_s: int = 30
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of one browser; its tokens and cookies end with it."""

    id: str
    user_id: int
    created: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What of a person is to be read besides the account; reading less costs less."""

    groups: bool = True
    roles: bool = True
    servers: Literal["none", "active", "all"] = "all"


EVERYTHING: Final = Parts()


@dataclass(frozen=True, slots=True)
class UserDetail:
    """A person with what hangs on them, as lists and models need it.

    ``groups`` and ``roles`` are names (roles: only those given directly);
    ``servers`` are in order of their age, stopped ones included. Each is empty where
    ``Parts`` left it out.
    """

    user: User
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    servers: tuple[Server, ...] = ()


@dataclass(frozen=True, slots=True)
class UserQuery:
    """Which people a list shows, and in what order.

    ``state`` is None, ``active``, ``inactive`` or ``ready``; ``name_filter`` a
    substring in any case; ``sort`` ``id``, ``name`` or ``last_activity``, with a
    ``-`` in front for descending.
    """

    state: str | None = None
    name_filter: str = ""
    sort: str = "id"
    offset: int = 0
    limit: int = 50
