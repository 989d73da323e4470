"""A user's server as a durable value.

``wanted`` is the wish, ``state`` the fact; ``epoch`` counts the owners, so that
an old owner cannot write. The legal moves stand in ``servers.lifecycle``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a server is in its life."""

    STOPPED = "stopped"
    """Not running; ``failure`` says so when the last start failed."""
    QUEUED = "queued"
    """Asked for; no replica has taken it yet."""
    STARTING = "starting"
    """The plug-in is starting it."""
    PROBING = "probing"
    """The plug-in gave an address; the hub waits for an answer there and routes it."""
    READY = "ready"
    """Usable."""
    STOPPING = "stopping"
    """The route is gone, the plug-in is stopping it."""


ACTIVE = frozenset(State) - {State.STOPPED}
"""States that count against ``active_server_limit``."""

STARTS = frozenset({State.QUEUED, State.STARTING, State.PROBING})
"""States that the wire shows as ``pending: spawn`` and that count as concurrent starts."""


class Wish(StrEnum):
    """What people want a server to be."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last start failed, in the words that people are shown.

    ``headers`` go with the answer to whoever waits, such as ``Retry-After``.
    """

    message: str
    html_message: str = ""
    reason: str = ""
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "message": self.message,
            "html_message": self.html_message,
            "reason": self.reason,
            "status": self.status,
            "headers": dict(self.headers),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any] | None) -> "Failure | None":
        """A stored failure again."""
        return cls(**data) if data else None


@dataclass(frozen=True, slots=True)
class Server:
    """One server of one user; ``name`` is empty for the default one.

    ``plugin_state`` is what the spawner needs to find it again. ``lease_owner`` is
    the replica that may act on it. ``host`` names
    the machine where a process of it lives, if only that machine can signal it.
    ``removing``: the row goes when it has stopped. ``checking``: it is being
    looked up after a restart of the hub.
    """

    id: int
    user_id: int
    user_name: str
    name: str
    display_name: str | None
    wanted: Wish
    state: State
    epoch: int
    options: dict[str, Any] | None = None
    plugin_state: dict[str, Any] = field(default_factory=dict)
    url: str | None = None
    oauth_client_id: str | None = None
    token_id: int | None = None
    lease_owner: str | None = None
    host: str | None = None
    started: datetime | None = None
    last_activity: datetime | None = None
    failure: Failure | None = None
    removing: bool = False
    checking: bool = False

    @property
    def full_name(self) -> str:
        """``USER/SERVER``, as scopes and logs write it."""
        return f"{self.user_name}/{self.name}"

    @property
    def active(self) -> bool:
        """Whether it runs, or is on the way up or down."""
        return self.state is not State.STOPPED

    @property
    def ready(self) -> bool:
        """Whether people can use it."""
        return self.state is State.READY and not self.checking

    @property
    def pending(self) -> str | None:
        """The wire's word for what goes on: ``spawn``, ``stop``, ``check`` or None."""
        if self.state is State.STOPPING or (self.wanted is Wish.DOWN and self.active):
            return "stop"
        if self.checking:
            return "check"
        return "spawn" if self.state in STARTS else None
