"""What the handlers of plug-ins may reach: the hub's rooms, gathered once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.web import Application

from perijove.compat.people import People
from perijove.plugins.adapters import AuthenticatorAdapter, ProxyAdapter
from perijove.plugins.context import HubContext
from perijove.web.pages.errors import ErrorPages
from perijove.web.rooms import Rooms

KEY = "perijove"
"""Where the tornado application's settings hold these services."""


@dataclass(frozen=True, slots=True)
class HandlerServices:
    """The collaborators of the handlers.

    ``shared`` are the variables of pages that are rendered without asking anybody,
    ``application`` serves plug-ins' handlers.
    """

    rooms: Rooms
    context: HubContext
    people: People
    error_pages: ErrorPages
    shared: Mapping[str, Any]
    app: Any
    application: Application

    @property
    def authenticator(self) -> AuthenticatorAdapter:
        """The adapter of the hub's authenticator."""
        adapter = self.rooms.authenticator
        assert isinstance(adapter, AuthenticatorAdapter)
        return adapter

    @property
    def proxy(self) -> ProxyAdapter:
        """The adapter of the hub's proxy."""
        adapter = self.rooms.proxy
        assert isinstance(adapter, ProxyAdapter)
        return adapter
