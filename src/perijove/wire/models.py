"""Request and response models: the source of the OpenAPI document.

Request models forbid unknown keys and convert nothing, so a wrong body gets an
answer that names the key. Times are ISO 8601 in UTC.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]
Scopes = Annotated[list[str], Field(max_length=1000)]


class Request(BaseModel):
    """A body that clients send."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """A body that the hub sends. Fields that the caller may not read are missing."""


# -- requests -------------------------------------------------------------


class ShutdownRequest(Request):
    """What a shutdown stops besides the hub; missing: as configured."""

    proxy: bool | None = None
    servers: bool | None = None


class UserFields(Request):
    """Accepted with a new user; only ``admin`` has an effect."""

    name: str | None = None
    admin: bool | None = None
    groups: list[str] | None = None
    roles: list[str] | None = None
    auth_state: Json | None = None


class UsersRequest(UserFields):
    """Several new users."""

    usernames: list[str] | None = None


class UserChange(Request):
    """Changes to a user; missing: unchanged."""

    name: str | None = None
    admin: bool | None = None
    auth_state: Json | None = None


class ServerActivity(Request):
    """When a server was last used."""

    last_activity: str


class ActivityRequest(Request):
    """When a user, or the user's servers, were last active."""

    last_activity: str | None = None
    servers: dict[str, ServerActivity] | None = None


class TokenRequest(Request):
    """A new token. ``scopes`` and ``roles`` exclude each other."""

    model_config = ConfigDict(extra="ignore", strict=True)

    note: str | None = None
    expires_in: Annotated[int, Field(ge=1, description="seconds; null: never")] | None = None
    scopes: Scopes | None = None
    roles: list[str] | None = None
    auth: Json | None = None


class ServerRequest(Request):
    """Options of a start. Without either key the whole body is the options."""

    display_name: str | None = None
    user_options: Json | None = None


class ServerChange(Request):
    """Changes to a stopped server."""

    name: str | None = None
    display_name: str | None = None
    user_options: Json | None = None


class ServerRemoval(Request):
    """``remove``: forget the named server once it has stopped."""

    remove: bool = False


class GroupsRequest(Request):
    """Several new groups with the same users."""

    groups: list[str] | None = None
    users: list[str] = []
    roles: list[str] = []


class GroupRequest(Request):
    """A new group."""

    name: str | None = None
    users: list[str] = []
    roles: list[str] = []


class MembersRequest(Request):
    """Users to add to, or remove from, a group."""

    users: list[str]


class GroupProperties(Request):
    """What is kept with a group: any JSON object."""

    model_config = ConfigDict(extra="allow")


class ServiceRequest(Request):
    """A new service, which runs elsewhere: ``command`` must be empty."""

    url: str | None = Field(None, description="where it answers; it is routed then")
    admin: bool | None = None
    api_token: str | None = Field(None, description="at least 8 characters")
    oauth_client_allowed_scopes: Scopes | None = None
    oauth_client_id: str | None = Field(None, description="begins with service-")
    oauth_redirect_uri: str | None = None
    oauth_no_confirm: bool | None = None
    info: Json | None = None
    display: bool | None = None
    cwd: str | None = None
    environment: dict[str, str] | None = None
    user: str | None = None
    command: list[str] | None = None


class ShareRequest(Request):
    """Access to give to, or to take from, exactly one user or group.

    Missing scopes: access to the server (to give), all (to take).
    """

    user: str | None = None
    group: str | None = None
    scopes: Scopes | None = None


class ShareCodeRequest(Request):
    """A new share code. Missing scopes: access to the server."""

    scopes: Scopes | None = None
    expires_in: (
        Annotated[int, Field(ge=60, le=31536000, description="seconds; null: a day")] | None
    ) = None


class OAuthConsent(Request):
    """The confirmation page's form: what the person agrees to."""

    scopes: Scopes | None = None
    xsrf: str | None = Field(None, alias="_xsrf")


class OAuthExchange(Request):
    """A client turns the code it got into a token (RFC 6749, section 4.1.3)."""

    grant_type: Literal["authorization_code"]
    code: str
    client_id: str
    client_secret: str
    redirect_uri: str | None = None
    code_verifier: str | None = Field(None, description="when a challenge was sent (RFC 7636)")


class ProxyChange(Request):
    """Where the proxy's API is now."""

    model_config = ConfigDict(extra="ignore", strict=True)

    api_url: str | None = None
    auth_token: str | None = None


# -- answers --------------------------------------------------------------


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
    pending: Literal["spawn", "stop", "check", "rename"] | None
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

    kind: Literal["user"] | None = None
    name: str | None = None
    admin: bool | None = None
    roles: list[str] | None = None
    groups: list[str] | None = None
    server: str | None = None
    pending: str | None = None
    created: datetime | None = None
    last_activity: datetime | None = None
    user_info: Json | None = None
    servers: dict[str, Server] | None = None
    auth_state: Json | None = None


class Group(Answer):
    """A group."""

    kind: Literal["group"] | None = None
    name: str | None = None
    roles: list[str] | None = None
    users: list[str] | None = None
    properties: Json | None = None


class Service(Answer):
    """A service."""

    kind: Literal["service"] | None = None
    name: str | None = None
    admin: bool | None = None
    roles: list[str] | None = None
    url: str | None = None
    prefix: str | None = None
    command: list[str] | None = None
    pid: int | None = None
    info: Json | None = None
    display: bool | None = None


class Identity(Answer):
    """The caller: a user or a service, with what it may do."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["user", "service"]
    name: str
    admin: bool
    token_id: str | None
    session_id: str | None
    scopes: list[str]


class Token(Answer):
    """A token. ``token`` is the secret, shown once."""

    user: str | None = None
    service: str | None = None
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
    token: str | None = None


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


class OAuthProblem(Answer):
    """Why there is no token (RFC 6749, section 5.2)."""

    error: str
    error_description: str | None = None


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
    """One step of a start."""

    progress: int | None = None
    message: str | None = None
    html_message: str | None = None
    ready: bool | None = None
    url: str | None = None
    failed: bool | None = None
