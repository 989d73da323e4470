"""Groups of users and roles with their scopes."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of users; roles given to it count for its members."""

    id: int
    name: str
    properties: dict[str, Any] = field(default_factory=dict)
    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """A named list of scopes. ``managed_by_auth``: it came from the authenticator."""

    id: int
    name: str
    description: str = ""
    scopes: tuple[str, ...] = ()
    managed_by_auth: bool = False
