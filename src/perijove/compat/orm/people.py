"""People, groups, roles and services as mapped classes."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Mapper, Session, relationship

from perijove.compat.orm import base
from perijove.compat.orm.base import Base, naive_now
from perijove.kit.ids import new_token
from perijove.plugins.context import PluginServer


class Named(Base):
    """What is found by its name."""

    __abstract__ = True

    name: Any

    @classmethod
    def find(cls, db: Session, name: str) -> Any:
        """The one with exactly this name, or None."""
        return db.query(cls).filter(cls.name == name).first()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Role(Named):
    """A set of scopes that people, groups and services hold."""

    __table__ = base.roles

    users = relationship("User", secondary=base.user_roles, back_populates="roles")
    groups = relationship("Group", secondary=base.group_roles, back_populates="roles")
    services = relationship("Service", secondary=base.service_roles, back_populates="roles")


class Group(Named):
    """A group of people."""

    __table__ = base.groups
    kind = "group"

    users = relationship("User", secondary=base.memberships, back_populates="groups")
    roles = relationship("Role", secondary=base.group_roles, back_populates="groups")
    shared_with_me = relationship("Share", back_populates="group", passive_deletes=True)


class User(Named):
    """A person."""

    __table__ = base.users
    kind = "user"

    roles = relationship("Role", secondary=base.user_roles, back_populates="users")
    groups = relationship("Group", secondary=base.memberships, back_populates="users")
    _orm_spawners = relationship(
        "Spawner", back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    api_tokens = relationship(
        "APIToken", back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    oauth_codes = relationship(
        "OAuthCode", back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    shared_with_me = relationship(
        "Share", back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )

    def __init__(self, **values: Any) -> None:
        values.setdefault("created", naive_now())
        values.setdefault("cookie_id", new_token())
        super().__init__(**values)

    @property
    def orm_spawners(self) -> dict[str, Any]:
        """The person's servers by name."""
        return {spawner.name: spawner for spawner in self._orm_spawners}

    @property
    def shares(self) -> list[Any]:
        """What others may use of this person's servers."""
        return [share for spawner in self._orm_spawners for share in spawner.shares]

    @property
    def share_codes(self) -> list[Any]:
        """Open invitations to this person's servers."""
        return [code for spawner in self._orm_spawners for code in spawner.share_codes]

    @property
    def all_shared_with_me(self) -> list[Any]:
        """What this person may use of others' servers, through groups as well."""
        through_groups = [share for group in self.groups for share in group.shared_with_me]
        return [*self.shared_with_me, *through_groups]

    def new_api_token(self, token: str | None = None, **options: Any) -> str:
        """Make a token of this person; see ``APIToken.new``."""
        return str(_new_token(token=token, user=self, **options))


class Service(Named):
    """A service."""

    __table__ = base.services
    kind = "service"

    timeout = base.services.c.timeout_s
    roles = relationship("Role", secondary=base.service_roles, back_populates="services")
    api_tokens = relationship(
        "APIToken", back_populates="service", cascade="all, delete-orphan", passive_deletes=True
    )
    oauth_client = relationship(
        "OAuthClient",
        primaryjoin="foreign(Service.oauth_client_id) == OAuthClient.identifier",
        back_populates="service",
        uselist=False,
    )

    @property
    def server(self) -> PluginServer | None:
        """Where it listens, if it has an address."""
        return PluginServer.from_url(self.url) if self.url else None

    def new_api_token(self, token: str | None = None, **options: Any) -> str:
        """Make a token of this service; see ``APIToken.new``."""
        return str(_new_token(token=token, service=self, **options))


def _new_token(**options: Any) -> Any:
    for mapper in Base.registry.mappers:  # tokens.py stands above this module
        if mapper.class_.__name__ == "APIToken":
            return mapper.class_.new(**options)
    raise RuntimeError("the classes of perijove.compat.orm.tokens are not loaded")


@event.listens_for(User, "after_insert")
def _with_default_server(_mapper: Mapper[Any], connection: Any, user: User) -> None:
    """Every person has a row for their default server; the hub relies on it."""
    if not any(spawner.name == "" for spawner in user._orm_spawners):
        connection.execute(base.servers.insert().values(user_id=user.id, name=""))
