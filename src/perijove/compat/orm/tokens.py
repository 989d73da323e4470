"""Tokens and OAuth clients as mapped classes."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_
from sqlalchemy.orm import Session, object_session, relationship

from perijove.access.catalogue import DEFAULT_ROLES
from perijove.compat.orm import base
from perijove.compat.orm.base import Base, naive_now
from perijove.compat.orm.people import Role, Service, User
from perijove.domain.tokens import HUB_CLIENT
from perijove.kit.crypto import hash_token, matches_salted
from perijove.kit.ids import new_token
from perijove.people.salted import prefix_of


class Expiring:
    """What may end by itself, at ``expires_at``."""

    expires_at: Any

    @property
    def expires_in(self) -> float | None:
        """Seconds until it ends, 0 afterwards; None: it does not."""
        if self.expires_at is None:
            return None
        left: timedelta = self.expires_at - naive_now()
        return max(left.total_seconds(), 0)

    @property
    def expired(self) -> bool:
        """Whether it has ended."""
        return self.expires_at is not None and self.expires_in == 0

    @classmethod
    def purge_expired(cls, db: Session) -> None:
        """Delete those that have ended."""
        for found in db.query(cls).filter(cls.expires_at <= naive_now()):
            db.delete(found)
        db.commit()


class Hashed(Expiring):
    """What is stored as a hash of a secret."""

    hashed: Any
    prefix: Any

    @property
    def token(self) -> str:
        """The secret cannot be read: AttributeError."""
        raise AttributeError("only the hash of a token is stored")

    @token.setter
    def token(self, secret: str) -> None:
        self.hashed = hash_token(secret)

    def match(self, token: str) -> bool:
        """Whether this is the secret."""
        return self.hashed == hash_token(token) or matches_salted(self.hashed, token)

    @classmethod
    def find(cls, db: Session, token: str) -> Any:
        """The one that this secret belongs to and that has not ended, or None."""
        alive = or_(cls.expires_at.is_(None), cls.expires_at >= naive_now())
        found = db.query(cls).filter(cls.hashed == hash_token(token), alive).first()
        if found is not None:
            return found
        imported = db.query(cls).filter(cls.prefix == prefix_of(token), alive)
        return next((one for one in imported if one.match(token)), None)


class OAuthClient(Base):
    """A server or service that asks the hub who somebody is."""

    __table__ = base.oauth_clients

    secret = base.oauth_clients.c.secret_hash
    spawner = relationship(
        "Spawner",
        primaryjoin="foreign(Spawner.oauth_client_id) == OAuthClient.identifier",
        back_populates="oauth_client",
        uselist=False,
    )
    service = relationship(
        "Service",
        primaryjoin="foreign(Service.oauth_client_id) == OAuthClient.identifier",
        back_populates="oauth_client",
        uselist=False,
    )
    access_tokens = relationship("APIToken", back_populates="oauth_client", passive_deletes=True)
    codes = relationship("OAuthCode", back_populates="client", passive_deletes=True)

    @property
    def client_id(self) -> str:
        """The identifier."""
        return str(self.identifier)

    def __repr__(self) -> str:
        return f"<OAuthClient {self.identifier}>"


class OAuthCode(Expiring, Base):
    """A code that waits to be exchanged for a token; stored as its hash."""

    __table__ = base.oauth_codes

    client = relationship("OAuthClient", back_populates="codes")
    user = relationship("User", back_populates="oauth_codes")

    @classmethod
    def find(cls, db: Session, code: str) -> Any:
        """The code, if it has not ended, or None."""
        return (
            db.query(cls)
            .filter(base.oauth_codes.c.code == hash_token(code), cls.expires_at >= naive_now())
            .first()
        )


class APIToken(Hashed, Base):
    """A token of a person or service."""

    __table__ = base.tokens

    user = relationship("User", back_populates="api_tokens")
    service = relationship("Service", back_populates="api_tokens")
    oauth_client = relationship("OAuthClient", back_populates="access_tokens")

    @property
    def api_id(self) -> str:
        """How the REST API names it."""
        return f"a{self.id}"

    @property
    def owner(self) -> User | Service | None:
        """Whose it is."""
        found: User | Service | None = self.user or self.service
        return found

    @classmethod
    def find(cls, db: Session, token: str, *, kind: str | None = None) -> Any:
        """The token of this secret; ``kind`` ``user`` or ``service`` narrows whose."""
        found = super().find(db, token)
        if found is None or kind is None:
            return found
        if kind not in ("user", "service"):
            raise ValueError(f"kind must be 'user', 'service' or None, not {kind!r}")
        return found if getattr(found, kind) is not None else None

    @classmethod
    def new(
        cls,
        token: str | None = None,
        *,
        user: User | None = None,
        service: Service | None = None,
        roles: Iterable[Any] | None = None,
        scopes: Iterable[str] | None = None,
        note: str = "",
        session_id: str | None = None,
        expires_in: float | None = None,
        client_id: str | None = None,
        oauth_client: OAuthClient | None = None,
        return_orm: bool = False,
        generated: bool = True,
    ) -> Any:
        """Make and store a token; the secret, or with ``return_orm`` the stored token.

        ``expires_in``: seconds. Raises ValueError for contradicting arguments.
        """
        owner = user or service
        if owner is None or (user is not None and service is not None):
            raise ValueError("a token belongs to one user or one service")
        if roles is not None and scopes is not None:
            raise ValueError("give roles or scopes, not both")
        if token is not None and not generated and len(token) < 8:
            raise ValueError("a token must have at least 8 characters")
        db = object_session(owner)
        if db is None:
            raise ValueError(f"{owner!r} is in no database session")
        secret = token or new_token()
        if cls.find(db, secret) is not None:
            raise ValueError("there is such a token already")
        identifier = oauth_client.identifier if oauth_client is not None else client_id
        made = cls(
            user=user,
            service=service,
            client_id=_known_client(db, identifier),
            note=note or "",
            scopes=_scopes(db, roles, scopes),
            session_id=session_id,
            created=naive_now(),
            expires_at=_end(expires_in),
        )
        made.token = secret
        db.add(made)
        db.commit()
        return made if return_orm else secret

    def update_scopes(self, new_scopes: Iterable[str]) -> None:
        """Give it other scopes. They are narrowed to the owner's at each use."""
        self.scopes = sorted(set(new_scopes))

    def __repr__(self) -> str:
        return f"<APIToken {self.api_id} of {self.owner!r}>"


def _known_client(db: Session, identifier: str | None) -> str:
    """The identifier of the client, the hub's own being made when missing."""
    identifier = identifier or HUB_CLIENT
    if db.query(OAuthClient).filter_by(identifier=identifier).first() is None:
        db.add(OAuthClient(identifier=identifier))
        db.flush()
    return identifier


def _scopes(db: Session, roles: Iterable[Any] | None, scopes: Iterable[str] | None) -> list[str]:
    if scopes is not None:
        return sorted(set(scopes))
    if roles is None:
        default = Role.find(db, "token")
        return list(default.scopes if default is not None else DEFAULT_ROLES["token"].scopes)
    found: set[str] = set()
    for role in roles:
        known: Role | None = role if isinstance(role, Role) else Role.find(db, role)
        if known is None:
            raise ValueError(f"there is no role {role!r}")
        found.update(known.scopes)
    return sorted(found)


def _end(expires_in: float | None) -> datetime | None:
    return naive_now() + timedelta(seconds=expires_in) if expires_in is not None else None
