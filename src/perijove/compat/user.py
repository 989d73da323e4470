"""A person as plug-ins see them, with all that plug-ins do to people and their servers.

``perijove.plugins.context.PluginUser`` is what the hub's own rooms need; this
adds the database (attributes of the stored row, read and written) and servers
(``spawners``, ``spawn``, ``stop``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from traitlets.config import Config

from perijove.compat import stored
from perijove.compat.services import KEY, HandlerServices
from perijove.domain import users as domain
from perijove.domain.ports import HubAddress
from perijove.kit.urls import escape_name, join
from perijove.plugins.context import HubContext, PluginUser
from perijove.plugins.local import LocalProcessSpawner

STORED = frozenset(
    {"name", "admin", "last_activity", "created", "cookie_id", "user_info", "encrypted_auth_state"}
)
"""Attributes that plug-ins may set, and that are stored by the next commit."""


class Spawners(dict[str, Any]):
    """A person's spawners by server name: those that live here; others are made when asked for."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Any:
        return self._make(name)


class User(PluginUser):
    """``spawner.user``, ``handler.current_user``, ``app.users[name]``."""

    _updating = True

    def __init__(self, orm_user: Any, settings: Any = None, db: Any = None) -> None:
        """A user from a stored row, with the settings of the tornado application.

        ``db`` is the row's own session unless given.
        """
        self._settle_in(record_of(orm_user), None, context_of(settings))
        self._given_row = orm_user
        self._given_db = db or stored.session_of(orm_user)
        self._updating = False

    @classmethod
    def of_hub(
        cls, record: domain.User, groups: Sequence[str] | None, context: HubContext
    ) -> "User":
        """The user of a running hub."""
        user = cls.__new__(cls)
        user._settle_in(record, groups, context)
        user._given_row = user._given_db = None
        user._updating = False
        return user

    def _settle_in(
        self, record: domain.User, groups: Sequence[str] | None, context: HubContext
    ) -> None:
        PluginUser.__init__(self, record, groups or (), context)
        self.spawners = Spawners(self._make_spawner)

    def update(self, user: domain.User, groups: Sequence[str] | None = None) -> None:
        """Take over newer facts, which are stored already."""
        self._updating = True
        super().update(user, groups)
        self.created = user.created.astimezone(UTC).replace(tzinfo=None)
        self.last_activity = _naive(user.last_activity)
        self._updating = False

    # -- the stored row --------------------------------------------------------------------
    @property
    def db(self) -> Any:
        """The database session that plug-ins share."""
        return self._given_db or self._context.db

    @property
    def orm_user(self) -> Any:
        """The stored row."""
        if self._given_row is not None:
            return self._given_row
        return self.db.get(stored.User, self.id)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in {"_context", "_given_row", "_given_db"}:
            raise AttributeError(name)
        row = self.orm_user
        if row is None:
            raise AttributeError(name)
        return getattr(row, name)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in STORED and not self._updating:
            setattr(self.orm_user, name, value)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the tornado application."""
        return self._context.settings

    @settings.setter
    def settings(self, settings: dict[str, Any]) -> None:
        self._context.settings = settings

    @property
    def groups(self) -> Any:
        """The groups, as stored now; the list may be changed."""
        row = self.orm_user
        if row is None:
            return []
        if row in self.db and not self.db.dirty:
            self.db.refresh(row, ["groups"])
        return row.groups

    @groups.setter
    def groups(self, groups: Any) -> None:
        if not self._updating:
            self.orm_user.groups = groups

    def sync_groups(self, group_names: Iterable[str]) -> None:
        """Put the user into exactly these groups; those that are missing are made."""
        names = set(group_names)
        known = {
            g.name: g for g in self.db.query(stored.Group).filter(stored.Group.name.in_(names))
        }
        self.orm_user.groups = [
            known.get(name) or stored.Group(name=name) for name in sorted(names)
        ]
        self.db.commit()

    @property
    def authenticator(self) -> Any:
        """The hub's authenticator."""
        return self.settings.get("authenticator")

    @property
    def spawner_class(self) -> Any:
        """The class of the servers' spawners."""
        return self.settings.get("spawner_class", LocalProcessSpawner)

    @property
    def _hub(self) -> HandlerServices | None:
        return self.settings.get(KEY)

    # -- servers ---------------------------------------------------------------------------
    @property
    def spawner(self) -> Any:
        """The spawner of the default server."""
        return self.spawners[""]

    @spawner.setter
    def spawner(self, spawner: Any) -> None:
        self.spawners[""] = spawner

    def get_spawner(self, server_name: str = "", replace_failed: bool = False) -> Any:
        """The spawner of a server. Raises KeyError when there is no such server."""
        return self.spawners[server_name]

    def get_or_create_spawner(
        self, server_name: str, display_name: str | None = None, replace_failed: bool = False
    ) -> Any:
        """The spawner of a server, which is made when missing."""
        if server_name not in self.orm_user.orm_spawners:
            self.db.add(
                stored.Spawner(name=server_name, display_name=display_name, user_id=self.id)
            )
            self.db.commit()
            self.db.refresh(self.orm_user, ["_orm_spawners"])
        return self.spawners[server_name]

    def _make_spawner(self, name: str) -> Any:
        hub = self._hub
        if hub is not None:
            return hub.people.spawner_of(self, name)
        made = self.spawners[name] = self._new_spawner(name)
        return made

    def _new_spawner(self, server_name: str, spawner_class: Any = None, **options: Any) -> Any:
        """A spawner object for a stored server; ``options`` are constructor arguments."""
        row = self.orm_user.orm_spawners.get(server_name)
        if row is None:
            raise ValueError(f"{self.name} has no server named {server_name!r}")
        settings = self.settings
        tail = f"-{quote(server_name, safe='')}" if server_name else ""
        arguments: dict[str, Any] = {
            "user": self,
            "orm_spawner": row,
            "hub": settings.get("hub"),
            "authenticator": self.authenticator,
            "config": settings.get("config"),
            "proxy_spec": join(self.proxy_spec, escape_name(server_name), "/"),
            "oauth_client_id": f"jupyterhub-user-{quote(self.name, safe='')}{tail}",
            "cookie_options": settings.get("cookie_options", {}),
            "user_options": row.user_options or {},
            "_deprecated_db_session": self.db,
            **options,
        }
        spawner = (spawner_class or self.spawner_class)(**arguments)
        spawner.load_state(row.state or {})
        return spawner

    def all_spawners(self, include_default: bool = True) -> Iterator[Any]:
        """Every server: its spawner if that lives here, else what is stored of it."""
        for name, row in sorted(self.orm_user.orm_spawners.items()):
            if name or include_default:
                yield self.spawners.get(name, row)

    @property
    def spawn_pending(self) -> bool:
        """Whether the default server is starting."""
        return self._pending == "spawn"

    @property
    def stop_pending(self) -> bool:
        """Whether the default server is stopping."""
        return self._pending == "stop"

    @property
    def _pending(self) -> str | None:
        spawner = self.spawners.get("")
        return spawner.pending if spawner is not None else None

    async def spawn(
        self,
        server_name: str = "",
        display_name: str = "",
        options: dict[str, Any] | None = None,
        handler: Any = None,
    ) -> "User":
        """Start a server, and return when it is ready. Raises what the start raised."""
        hub = self._required_hub()
        await hub.people.start(self, server_name, options, handler)
        return self

    async def stop(self, server_name: str = "") -> None:
        """Stop a server, and return when it is gone."""
        await self._required_hub().people.stop(self, server_name)

    def _required_hub(self) -> HandlerServices:
        hub = self._hub
        if hub is None:
            raise RuntimeError("there is no running hub behind this user")
        return hub

    async def delete_spawners(self) -> None:
        """Let the spawners clean up for good."""
        for name in list(self.orm_user.orm_spawners):
            await self._delete_spawner(name)

    async def _delete_spawner(self, name_or_spawner: Any) -> None:
        spawner = name_or_spawner
        if isinstance(name_or_spawner, str):
            spawner = self.spawners[name_or_spawner]
        if spawner.active:
            raise RuntimeError(f"{spawner._log_name} is active and cannot be deleted")
        await self._required_hub().people.delete_forever(spawner)

    def __repr__(self) -> str:
        return f"<User {self.name}>"


def record_of(row: Any) -> domain.User:
    """A stored (or mocked) row as the hub's own value."""
    return domain.User(
        id=row.id,
        name=row.name,
        admin=bool(getattr(row, "admin", False)),
        created=_aware(getattr(row, "created", None)) or datetime.now(UTC),
        last_activity=_aware(getattr(row, "last_activity", None)),
        cookie_id=getattr(row, "cookie_id", "") or "",
        user_info=getattr(row, "user_info", None),
    )


def _aware(moment: Any) -> datetime | None:
    if not isinstance(moment, datetime):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _naive(moment: datetime | None) -> datetime | None:
    """A time as plug-ins compare it."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment is not None else None


def context_of(settings: Any) -> HubContext:
    """The running hub behind these settings, or just the settings for code that has none."""
    settings = settings if settings is not None else {}
    services = settings.get(KEY)
    if services is not None:
        context: HubContext = services.context
        return context
    base_url = settings.get("base_url", "/")
    prefix = join(base_url, "hub/")
    address = HubAddress(
        base_url=base_url,
        hub_prefix=prefix,
        api_url=f"{prefix}api",
        url=f"http://127.0.0.1{prefix}",
    )
    return HubContext(
        address=address,
        config=settings.get("config") or Config(),
        settings=settings,
        hub=settings.get("hub"),
    )
