"""Servers as mapped classes."""

from typing import Any

from sqlalchemy.orm import relationship

from perijove.compat.orm import base
from perijove.compat.orm.base import Base
from perijove.domain.servers import STARTS, State, Wish
from perijove.plugins.context import PluginServer

Server = PluginServer
"""An address. It has no table: what a server or service listens at is a column of its row."""


class Spawner(Base):
    """A person's server: what is stored of it.

    The hub alone moves it through its states, so they cannot be set here.
    """

    __table__ = base.servers

    state: Any = base.servers.c.plugin_state
    user_options: Any = base.servers.c.options
    _life: Any = base.servers.c.state
    _url: Any = base.servers.c.url

    user = relationship("User", back_populates="_orm_spawners")
    shares = relationship("Share", back_populates="spawner", passive_deletes=True)
    share_codes = relationship("ShareCode", back_populates="spawner", passive_deletes=True)
    oauth_client = relationship(
        "OAuthClient",
        primaryjoin="foreign(Spawner.oauth_client_id) == OAuthClient.identifier",
        back_populates="spawner",
        uselist=False,
    )

    def __init__(self, **values: Any) -> None:
        values.setdefault("name", "")
        super().__init__(**values)

    @property
    def server(self) -> PluginServer | None:
        """Where it listens; None while it does not run."""
        return PluginServer.from_url(self._url) if self._url else None

    @server.setter
    def server(self, server: PluginServer | None) -> None:
        self._url = server.host if server is not None else None

    @property
    def active(self) -> bool:
        """Whether it runs, starts or stops."""
        return self._life not in (None, State.STOPPED.value)

    @property
    def ready(self) -> bool:
        """Whether people can use it."""
        return bool(self._life == State.READY.value)

    running = ready

    @property
    def pending(self) -> str | None:
        """``spawn``, ``stop`` or ``check`` while that goes on."""
        down = self.wanted == Wish.DOWN.value
        if self._life == State.STOPPING.value or (down and self.active):
            return "stop"
        if self.checking:
            return "check"
        return "spawn" if self._life in {state.value for state in STARTS} else None

    @property
    def orm_spawner(self) -> "Spawner":
        """Itself: code that takes a spawner or what is stored of it asks for this."""
        return self

    def __repr__(self) -> str:
        owner = self.user.name if self.user is not None else "?"
        return f"<Spawner {owner}:{self.name}>"
