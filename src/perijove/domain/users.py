"""People, and services as callers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


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
