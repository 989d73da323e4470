"""What the rooms tell one another, and other replicas, over the bus.

A message says only *what* changed; readers look the fact up, so a lost message
costs time and never truth.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Topic(StrEnum):
    """What a bus message is about."""

    SERVER = "server"
    """A server moved, or has a new event; ``key`` is its id."""
    REMOVED = "removed"
    """A server is gone for good; ``key`` is the JSON list of its user's name and its own."""
    WISH = "wish"
    """Someone wants a held server down; ``key`` is its id."""
    CREDENTIALS = "credentials"
    """Tokens, roles, groups or shares changed; ``key`` is ``user:ID``,
    ``service:ID``, ``session:ID``, ``token:ID``, ``members`` (of some group) or ``*``."""
    RELAY = "relay"
    """A part of a request, or of its answer, for one replica; see ``compat/relay.py``."""


@dataclass(frozen=True, slots=True)
class Message:
    """One bus message."""

    topic: Topic
    key: str


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """One step of a start, as shown to people. ``seq`` counts from 1 in each start."""

    seq: int
    data: dict[str, Any]

    @property
    def last(self) -> bool:
        """Whether no event follows."""
        return bool(self.data.get("ready") or self.data.get("failed"))
