"""Bodies that clients send: what requests are checked against, and the OpenAPI document.

They forbid unknown keys and convert nothing, so a wrong body gets an answer that
names the key. A few ignore unknown keys, since clients of JupyterHub send some.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from perijove.wire.fields import Json, Missable

MAX_NAME = 255
MAX_TOKEN_LIFE_S = 3162240000
"""About a hundred years."""


def _whole(value: object) -> object:
    """To JSON Schema, 60.0 is an integer, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Scopes = Annotated[list[str], Field(max_length=1000)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
ShownName = Annotated[str, Field(max_length=MAX_NAME)]
# No slash or control character, no space at either end, not dots alone. The authenticator may
# be stricter, or know better.
NewName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAME,
        json_schema_extra={
            "pattern": r"^(?!\s)(?!(?:\.|%2[eE])+$)[^\x00-\x1f\x7f/]+(?<!\s)$",
        },
    ),
]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
# Checked by the handlers, which have better words for it.
_EMPTY = Field(json_schema_extra={"maxItems": 0})
_NOT_EMPTY = Field(json_schema_extra={"minItems": 1})
_GIVEN: dict[str, Any] = {"not": {"type": "null"}}
_FILLED: dict[str, Any] = {"type": "object", "minProperties": 1}


class Request(BaseModel):
    """A body that clients send."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ShutdownRequest(Request):
    """What a shutdown stops besides the hub; missing: as configured."""

    proxy: Missable[bool] = None
    servers: Missable[bool] = None


class UserFields(Request):
    """Accepted with a new user; only ``admin`` has an effect."""

    name: Missable[str] = None
    admin: Missable[bool] = None
    groups: Missable[list[str]] = None
    roles: Missable[list[str]] = None
    auth_state: Missable[Json] = None


class UsersRequest(UserFields):
    """Several new users."""

    model_config = ConfigDict(json_schema_extra={"required": ["usernames"]})

    usernames: Missable[Annotated[list[NewName], _NOT_EMPTY]] = None


class UserChange(Request):
    """Changes to a user; missing: unchanged."""

    name: Missable[NewName] = None
    admin: Missable[bool] = None
    auth_state: Annotated[Json | None, Field(description="null: forget it")] = None


class ServerActivity(Request):
    """When a server was last used."""

    model_config = ConfigDict(extra="ignore", strict=True)

    last_activity: Moment


class ActivityRequest(Request):
    """When a user, or the user's servers, were last active: at least one of them."""

    model_config = ConfigDict(
        extra="ignore",
        strict=True,
        json_schema_extra={
            "anyOf": [
                {"required": ["last_activity"], "properties": {"last_activity": _GIVEN}},
                {
                    "required": ["servers"],
                    "properties": {"servers": _FILLED},
                },
            ]
        },
    )

    last_activity: Moment | None = None
    servers: dict[str, ServerActivity] | None = None


class TokenRequest(Request):
    """A new token. ``scopes`` and ``roles`` exclude each other."""

    model_config = ConfigDict(
        extra="ignore",
        strict=True,
        json_schema_extra={
            "not": {
                "required": ["scopes", "roles"],
                "properties": {"scopes": _GIVEN, "roles": _GIVEN},
            }
        },
    )

    note: Annotated[str, Field(max_length=1023)] | None = None
    expires_in: (
        Annotated[
            int,
            Field(
                ge=0,
                le=MAX_TOKEN_LIFE_S,
                description="seconds; 0, null or nothing: as long as the hub allows",
            ),
            BeforeValidator(_whole),
        ]
        | None
    ) = None
    scopes: Scopes | None = None
    roles: list[str] | None = None
    auth: Annotated[
        Json | None, Field(description="what the sign-in form would send, in place of a credential")
    ] = None


class ServerRequest(Request):
    """Options of a start; an empty ``display_name`` is none."""

    display_name: ShownName | None = None
    user_options: Json | None = None


class StartOptions(Request):
    """The old way to send options: the whole body is ``user_options``."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "not": {"anyOf": [{"required": ["display_name"]}, {"required": ["user_options"]}]}
        },
    )


class ServerChange(Request):
    """Changes to a stopped server, at least one; null: unchanged."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Annotated[str | None, Field(max_length=MAX_NAME)] = None
    display_name: ShownName | None = None
    user_options: Missable[Json] = None


class ServerRemoval(Request):
    """``remove``: forget the named server once it has stopped."""

    remove: bool | None = False


class GroupsRequest(Request):
    """Several new groups with the same users."""

    model_config = ConfigDict(json_schema_extra={"required": ["groups"]})

    groups: Missable[Annotated[list[Name], _NOT_EMPTY]] = None
    users: list[Name] = []
    roles: list[str] = []


class GroupRequest(Request):
    """A new group."""

    name: Missable[str] = None
    users: list[Name] = []
    roles: list[str] = []


class MembersRequest(Request):
    """Users to add to, or remove from, a group."""

    users: list[Name]


class GroupProperties(Request):
    """What is kept with a group: any JSON object."""

    model_config = ConfigDict(extra="allow")


class ServiceRequest(Request):
    """A service that runs elsewhere: ``command`` must be empty."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    url: Missable[
        Annotated[str, Field(max_length=2047, description="where it answers; it is routed then")]
    ] = None
    admin: Missable[bool] = None
    api_token: Missable[Annotated[str, Field(min_length=8, max_length=64)]] = None
    oauth_client_allowed_scopes: Missable[Scopes] = None
    oauth_client_id: Missable[
        Annotated[str, Field(max_length=MAX_NAME, description="begins with service-")]
    ] = None
    oauth_redirect_uri: Missable[Annotated[str, Field(max_length=1023)]] = None
    oauth_no_confirm: Missable[bool] = None
    info: Missable[Json] = None
    display: Missable[bool] = None
    cwd: Missable[Annotated[str, Field(max_length=4095)]] = None
    environment: Missable[Annotated[dict[str, str], Field(max_length=1000)]] = None
    user: Missable[Annotated[str, Field(max_length=MAX_NAME)]] = None
    command: Missable[Annotated[list[str], _EMPTY]] = None


class ShareRequest(Request):
    """Access to give to, or to take from, exactly one user or group.

    Missing scopes: access to the server (to give), all (to take).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["user"], "properties": {"user": _GIVEN}},
                {"required": ["group"], "properties": {"group": _GIVEN}},
            ]
        }
    )

    user: Name | None = None
    group: Name | None = None
    scopes: Scopes | None = None


class ShareCodeRequest(Request):
    """A new share code. Missing scopes: access to the server."""

    scopes: Scopes | None = None
    expires_in: Missable[
        Annotated[
            int,
            Field(ge=60, le=31536000, description="seconds; missing: a day"),
            BeforeValidator(_whole),
        ]
    ] = None


class OAuthConsent(Request):
    """The confirmation page's form: what the person agrees to."""

    scopes: Missable[Scopes] = None
    xsrf: Missable[str] = Field(None, alias="_xsrf")


class OAuthExchange(Request):
    """A client turns the code it got into a token (RFC 6749, section 4.1.3)."""

    model_config = ConfigDict(extra="allow", strict=True)

    grant_type: Literal["authorization_code"]
    code: str
    client_id: Missable[Annotated[str, Field(description="or as Basic credentials")]] = None
    client_secret: Missable[str] = None
    redirect_uri: Missable[str] = None
    code_verifier: Missable[
        Annotated[str, Field(description="when a challenge was sent (RFC 7636)")]
    ] = None


class OAuthRevocation(Request):
    """A client ends a token that was issued to it (RFC 7009, section 2.1)."""

    model_config = ConfigDict(extra="allow", strict=True)

    token: str
    token_type_hint: Missable[str] = None
    client_id: Missable[Annotated[str, Field(description="or as Basic credentials")]] = None
    client_secret: Missable[str] = None


class OAuthIntrospection(OAuthRevocation):
    """A client asks what a token is (RFC 7662, section 2.1)."""


class ProxyChange(Request):
    """Where the proxy's API is now."""

    model_config = ConfigDict(extra="ignore", strict=True)

    api_url: Missable[str] = None
    auth_token: Missable[str] = None
