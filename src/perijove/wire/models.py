"""Bodies that the hub sends: a source of the OpenAPI document, and what clients can parse with.

Times are ISO 8601 in UTC. Fields that the caller may not read are missing.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from perijove.wire.fields import Json, Missable

Pending = Literal["spawn", "stop", "check", "rename"]


class Answer(BaseModel):
    """A body that the hub sends."""

    # Most are only ever looked at for the document: their validators are made if one is used.
    model_config = ConfigDict(defer_build=True)


class Problem(Answer):
    """An error."""

    status: int
    message: str


class Info(Answer):
    """The hub's interface version."""

    version: str


class Plugin(Answer):
    """A plug-in class and the version of its package."""

    model_config = ConfigDict(populate_by_name=True)

    class_: str = Field(alias="class")
    version: str


class InfoDetail(Answer):
    """What the hub runs on."""

    version: str
    python: str
    sys_executable: str
    spawner: Plugin
    authenticator: Plugin


class Message(Answer):
    """A sentence."""

    message: str


class Server(Answer):
    """A server; the default one has an empty name."""

    name: str
    display_name: str | None
    full_name: str
    last_activity: datetime | None
    started: datetime | None
    pending: Pending | None
    ready: bool
    stopped: bool
    url: str
    user_options: Json | None
    progress_url: str
    full_url: str | None
    full_progress_url: str | None
    state: Json | None = Field(None, description="with admin:server_state")


class ServerEvent(Answer):
    """How one server is now; ``server`` is null when it is gone for good."""

    user: str
    name: str
    server: Server | None


class User(Answer):
    """A user."""

    kind: Missable[Literal["user"]] = None
    name: Missable[str] = None
    admin: Missable[bool] = None
    roles: Missable[list[str]] = None
    groups: Missable[list[str]] = None
    server: str | None = None
    pending: Pending | None = None
    created: Missable[datetime] = None
    last_activity: datetime | None = None
    user_info: Json | None = None
    servers: Missable[dict[str, Server]] = None
    auth_state: Json | None = None


class Group(Answer):
    """A group."""

    kind: Missable[Literal["group"]] = None
    name: Missable[str] = None
    roles: Missable[list[str]] = None
    users: Missable[list[str]] = None
    properties: Missable[Json] = None


class Service(Answer):
    """A service."""

    kind: Missable[Literal["service"]] = None
    name: Missable[str] = None
    admin: Missable[bool] = None
    roles: Missable[list[str]] = None
    url: Missable[str] = None
    prefix: Missable[str] = None
    command: Missable[list[str]] = None
    pid: Missable[int] = None
    info: Missable[Json] = None
    display: Missable[bool] = None


class ServiceHealth(Answer):
    """How a service is.

    ``answers`` is null when it has no URL to ask; ``pid`` when the hub does not run it
    (or it has just ended).
    """

    name: str
    managed: bool
    answers: bool | None
    status: int | None
    pid: int | None


class Identity(Answer):
    """The caller, with what it may do."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["user", "service"]
    name: str
    admin: bool
    token_id: str | None
    session_id: str | None
    scopes: list[str]


class UserIdentity(User, Identity):
    """The caller, who is a user."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["user"]
    name: str
    admin: bool
    groups: list[str]


class ServiceIdentity(Service, Identity):
    """The caller, which is a service."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["service"]
    name: str
    admin: bool


class Token(Answer):
    """A token. ``token`` is the secret, shown once."""

    user: Missable[str] = None
    service: Missable[str] = None
    id: str
    kind: Literal["api_token"]
    roles: list[str]
    scopes: list[str]
    created: datetime
    last_activity: datetime | None
    expires_at: datetime | None
    note: str
    session_id: str | None
    oauth_client: str
    token: Missable[str] = None


class NewToken(Token):
    """A token just made; ``token`` is shown only here."""

    token: str


class TokenList(Answer):
    """All tokens of a user."""

    api_tokens: list[Token]


class NextPage(Answer):
    """Where a list goes on."""

    offset: int
    limit: int
    url: str


class Pagination(Answer):
    """Which part of a list this is."""

    offset: int
    limit: int
    total: int
    next: NextPage | None


class UserPage(Answer):
    """A page of users."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[User]
    pagination: Pagination = Field(alias="_pagination")


class GroupPage(Answer):
    """A page of groups."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[Group]
    pagination: Pagination = Field(alias="_pagination")


class Name(Answer):
    """A user or group, by name."""

    name: str


class ShareServer(Answer):
    """The server that a share is about."""

    user: Name
    name: str
    url: str
    full_url: str | None
    ready: bool


class Share(Answer):
    """Scopes on one server given to a user or a group."""

    server: ShareServer
    scopes: list[str]
    user: Name | None
    group: Name | None
    kind: Literal["user", "group"]
    created_at: datetime


class NoShare(Answer):
    """Nothing is left of a share."""

    model_config = ConfigDict(extra="forbid")


class ShareCode(Answer):
    """A code that whoever holds it can turn into a share."""

    server: ShareServer
    scopes: list[str]
    id: str
    created_at: datetime
    expires_at: datetime | None
    exchange_count: int
    last_exchanged_at: datetime | None


class NewShareCode(ShareCode):
    """A code just made; ``code`` is shown only here."""

    code: str
    accept_url: str
    full_accept_url: str | None


class SharePage(Answer):
    """A page of shares."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[Share]
    pagination: Pagination = Field(alias="_pagination")


class ShareCodePage(Answer):
    """A page of share codes."""

    model_config = ConfigDict(populate_by_name=True)

    items: list[ShareCode]
    pagination: Pagination = Field(alias="_pagination")


class OAuthToken(Answer):
    """The access token that a code was exchanged for (RFC 6749, section 5.1)."""

    access_token: str
    expires_in: int
    token_type: Literal["Bearer"]
    scope: str


class OAuthTokenState(Answer):
    """What a token is (RFC 7662, section 2.2); of one that does not live only ``active``."""

    active: bool
    scope: Missable[str] = None
    client_id: Missable[str] = None
    username: Missable[str] = None
    sub: Missable[str] = None
    token_type: Missable[Literal["Bearer"]] = None
    exp: Missable[int] = None
    iat: Missable[int] = None
    jti: Missable[str] = None


class OAuthMetadata(Answer):
    """The OAuth provider about itself (RFC 8414, section 2)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    token_endpoint_auth_methods_supported: list[str]
    introspection_endpoint: str
    introspection_endpoint_auth_methods_supported: list[str]
    revocation_endpoint: str
    revocation_endpoint_auth_methods_supported: list[str]
    scopes_supported: list[str]
    response_types_supported: list[str]
    response_modes_supported: list[str]
    grant_types_supported: list[str]
    code_challenge_methods_supported: list[str]


class OAuthProblem(Answer):
    """Why a client gets nothing (RFC 6749, section 5.2)."""

    error: str
    error_description: Missable[str] = None


class Route(Answer):
    """A route of the proxy."""

    routespec: str
    target: str
    data: Json


class RoutePage(Answer):
    """A page of routes, by routespec."""

    model_config = ConfigDict(populate_by_name=True)

    items: dict[str, Route]
    pagination: Pagination = Field(alias="_pagination")


class ServerSnapshot(Answer):
    """All active servers that the caller may see; what was known before is void."""

    servers: list[ServerEvent]


class ProgressEvent(Answer):
    """One step of a start, with whatever else the spawner tells."""

    model_config = ConfigDict(extra="allow")

    progress: Missable[Annotated[int, Field(ge=0, le=100)]] = None
    message: Missable[str] = None
    html_message: Missable[str] = None
    ready: Missable[Literal[True]] = None
    url: Missable[str] = None
    failed: Missable[Literal[True]] = None
