"""API tokens, OAuth clients and one-time codes."""

from dataclasses import dataclass
from datetime import datetime

from perijove.domain.users import Service, User

HUB_CLIENT = "jupyterhub"
"""The OAuth client that owns ordinary API tokens."""

HUB_CLIENT_NAME = "JupyterHub"
"""What describes it, in lists of tokens."""


@dataclass(frozen=True, slots=True)
class Token:
    """An API or OAuth access token; the secret itself is never stored.

    Exactly one of ``user_id`` and ``service_id`` is set. ``scopes`` are raw, as
    granted; what they mean is worked out at each use.
    """

    id: int
    user_id: int | None
    service_id: int | None
    client_id: str
    session_id: str | None
    created: datetime
    expires_at: datetime | None
    last_activity: datetime | None
    note: str
    scopes: tuple[str, ...]

    @property
    def public_id(self) -> str:
        """The id that the API shows: ``a`` and the number."""
        return f"a{self.id}"


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A server or service in its part as an OAuth client."""

    identifier: str
    description: str
    secret_hash: str
    redirect_uri: str
    allowed_scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OAuthCode:
    """A code that a client exchanges, once and soon, for an access token.

    ``token_id`` is the token that it was exchanged for; None: it can still be.
    """

    client_id: str
    code: str
    expires_at: datetime
    redirect_uri: str
    session_id: str | None
    user_id: int
    scopes: tuple[str, ...]
    code_challenge: str | None = None
    code_challenge_method: str | None = None
    token_id: int | None = None


@dataclass(frozen=True, slots=True)
class TokenDetail:
    """A token as lists show it. ``client`` describes the OAuth client that issued it."""

    token: Token
    client: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who presented a token: the token and its owner, a person or a service."""

    token: Token
    owner: User | Service


@dataclass(frozen=True, slots=True)
class ClientOwner:
    """Whose OAuth client it is: a user's server, or a service.

    Exactly one of ``server`` (user name, server name) and ``service`` is set.
    """

    server: tuple[str, str] | None = None
    service: str | None = None
    no_confirm: bool = False
