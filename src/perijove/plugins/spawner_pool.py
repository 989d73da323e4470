"""One spawner object per server, made when something goes on with it.

Objects that were asked for before a start (by a form, or a plug-in) wait for
it: what was set on them counts.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from perijove.domain.ports import SpawnerPort
from perijove.domain.servers import Server
from perijove.domain.users import User
from perijove.kit.jsons import unpacked
from perijove.kit.urls import escape_name
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.context import HubContext, PluginSpawnerRow, PluginUser
from perijove.plugins.failures import blaming
from perijove.plugins.spawner import Spawner
from perijove.plugins.spawner_adapter import SpawnerAdapter, client_id_of


class HasAuthenticator(Protocol):
    """What holds the plug-in object of the hub's authenticator."""

    authenticator: Authenticator


MOST_IDLE = 1000
"""How many objects of servers that do not run are kept."""


class SpawnerPool:
    """Makes and keeps the spawner objects of this process, one per server."""

    def __init__(
        self, kind: type[Spawner], context: HubContext, authenticator: HasAuthenticator | None
    ) -> None:
        """``authenticator`` is the adapter of the hub's authenticator."""
        self._kind = kind
        self._context = context
        self._authenticator = authenticator.authenticator if authenticator is not None else None
        self._live: dict[int, SpawnerAdapter] = {}
        self._idle: OrderedDict[int, SpawnerAdapter] = OrderedDict()
        context.settings.setdefault("spawner_class", kind)

    @property
    def class_name(self) -> str:
        """The name of the spawner class."""
        return self._class().__name__

    def _class(self) -> type[Spawner]:
        # Plug-ins' tests exchange the class through the settings while the hub runs.
        kind: type[Spawner] = self._context.settings.get("spawner_class", self._kind)
        return kind

    def open(
        self, server: Server, user: User, groups: Sequence[str], *, fresh: bool = False
    ) -> SpawnerPort:
        """The server's object; ``fresh``: for a start, not used for one before, state loaded.

        Raises PluginError when the plug-in cannot be made or its state loaded.
        """
        owner = self._context.user(user, groups)
        if not fresh:
            return self._live.get(server.id) or self.peek(server, user)
        adapter = self._take_idle(server) or self._make(server, owner)
        self._live[server.id] = adapter
        owner.spawners[server.name] = adapter.spawner
        return adapter

    def peek(self, server: Server, user: User) -> SpawnerAdapter:
        """An object for looking at a server, or for setting it up before its start.

        The start takes it over, if it happens in this process. Raises PluginError.
        """
        adapter = self._live.get(server.id) or self._idle.get(server.id)
        if adapter is not None and type(adapter.spawner) is self._class():
            return adapter
        adapter = self._make(server, self._context.user(user))
        if not server.active:  # one that runs elsewhere changes without our knowing
            self._idle[server.id] = adapter
            if len(self._idle) > MOST_IDLE:
                self._idle.popitem(last=False)
        return adapter

    def _take_idle(self, server: Server) -> SpawnerAdapter | None:
        adapter = self._idle.pop(server.id, None)
        if adapter is None or type(adapter.spawner) is not self._class():
            return None
        with blaming(adapter.class_name, "load_state"):
            adapter.spawner.load_state(unpacked(server.plugin_state))
        return adapter

    def _make(self, server: Server, owner: PluginUser) -> SpawnerAdapter:
        kind, context = self._class(), self._context
        row = PluginSpawnerRow(
            id=server.id,
            name=server.name,
            display_name=server.display_name,
            state=unpacked(server.plugin_state),
            user_options=unpacked(server.options),
            started=server.started,
            last_activity=server.last_activity,
            user=owner,
            oauth_client_id=server.oauth_client_id,
        )
        with blaming(kind.__name__, "__init__"):
            spawner = kind(**self._arguments(server, owner, row))
        adapter = SpawnerAdapter(spawner, row, context, owner)
        adapter.expect_address()
        if server.url:
            adapter.set_address(server.url)
        adapter.set_progressing(server.pending, server.ready)
        with blaming(kind.__name__, "load_state"):
            spawner.load_state(unpacked(server.plugin_state))
        return adapter

    def _arguments(
        self, server: Server, owner: PluginUser, row: PluginSpawnerRow
    ) -> dict[str, Any]:
        context, address = self._context, self._context.address
        arguments: dict[str, Any] = {
            "user": owner,
            "orm_spawner": row,
            "hub": context.hub,
            "authenticator": self._authenticator,
            "config": context.config,
            "log": context.log,
            "proxy_spec": owner.proxy_spec + (f"{escape_name(row.name)}/" if row.name else ""),
            "oauth_client_id": server.oauth_client_id or client_id_of(owner.name, row.name),
            "cookie_options": dict(address.cookie_options),
            "cookie_host_prefix_enabled": context.cookie_host_prefix_enabled,
            "trusted_alt_names": list(context.trusted_alt_names),
            "user_options": dict(row.user_options or {}),
            "public_url": owner.public_url(row.name),
            "public_hub_url": address.public_hub_url,
            "admin_access": bool(context.settings.get("admin_access", False)),
            "_deprecated_db_session": context.db,
        }
        if context.internal_ssl:
            arguments |= {
                "internal_ssl": True,
                "internal_trust_bundles": dict(context.internal_trust_bundles),
                "internal_certs_location": context.internal_certs_location,
            }
        return arguments

    def find(self, server_id: int) -> SpawnerPort | None:
        """The object that the server was started or found with, if that was here."""
        return self._live.get(server_id)

    def forget(self, server_id: int) -> None:
        """Drop the object after a stop."""
        self._idle.pop(server_id, None)
        adapter = self._live.pop(server_id, None)
        if adapter is None:
            return
        spawners = adapter._owner.spawners
        for name in [key for key, value in spawners.items() if value is adapter.spawner]:
            del spawners[name]
