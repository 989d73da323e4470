"""Which scopes each REST operation takes, and what it is about.

The API's handlers, its document and the tests read this one table. Paths are
relative to ``{base_url}hub/api``. Operations that need no scope are not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from perijove.access.catalogue import Kind

Aim = Kind | Literal["none", "users", "groups", "services", "servers", "each user", "each group"]
"""What to decide about: one thing named in the path, the hub as a whole
(``none``), the rows of a list (``users``, ``groups``, ``services``,
``servers``; use ``row_filter``), or each of the things named in the body (``each user``,
``each group``; use ``decide_each``)."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path; any one of ``needs`` suffices.

    ``also`` are other paths with the same meaning. ``hidden_status`` is the answer
    when the scope is held for others only, where the path names one thing.
    """

    method: str
    path: str
    needs: tuple[str, ...]
    aim: Aim = "none"
    also: tuple[str, ...] = ()
    hidden_status: Literal[403, 404] = 404

    @property
    def name(self) -> str:
        """The key in ``OPERATIONS``."""
        return f"{self.method} {self.path}"


_SEE_USER = (
    "read:users",
    "read:users:name",
    "read:servers",
    "read:users:groups",
    "read:users:activity",
    "read:roles:users",
)
_SEE_GROUP = ("read:groups", "read:groups:name", "read:roles:groups")
_SEE_SERVICE = ("read:services", "read:services:name", "read:roles:services")

_USER = "/users/{name}"
_TOKENS = "/users/{name}/tokens"
_SERVER = "/users/{name}/servers/{server_name}"
_DEFAULT = ("/users/{name}/server",)
_GROUP = "/groups/{name}"
_SERVICE = "/services/{name}"
_SHARES = "/shares/{user}/{server}"
_SHARES_DEFAULT = ("/shares/{user}/",)
_CODES = "/share-codes/{user}/{server}"
_CODES_DEFAULT = ("/share-codes/{user}/",)
_USER_SHARE = "/users/{name}/shared/{owner}/{server}"
_USER_SHARE_DEFAULT = ("/users/{name}/shared/{owner}/",)
_GROUP_SHARE = "/groups/{name}/shared/{owner}/{server}"
_GROUP_SHARE_DEFAULT = ("/groups/{name}/shared/{owner}/",)

_TABLE: Final = (
    # -- the hub itself
    Operation("GET", "/info", ("read:hub",)),
    Operation("POST", "/shutdown", ("shutdown",)),
    Operation("GET", "/metrics", ("read:metrics",)),
    Operation("GET", "/proxy", ("proxy",)),
    Operation("POST", "/proxy", ("proxy",)),
    Operation("PATCH", "/proxy", ("proxy",)),
    # -- users
    Operation("GET", "/users", ("list:users",), "users"),
    Operation("POST", "/users", ("admin:users",), "each user"),
    Operation("GET", _USER, _SEE_USER, "user"),
    Operation("POST", _USER, ("admin:users",), "user"),
    Operation("PATCH", _USER, ("admin:users",), "user"),
    Operation("DELETE", _USER, ("delete:users",), "user"),
    Operation("POST", f"{_USER}/activity", ("users:activity",), "user"),
    Operation("POST", f"{_USER}/admin-access", ("servers",), "user"),
    # -- tokens
    Operation("GET", _TOKENS, ("read:tokens",), "user"),
    Operation("POST", _TOKENS, ("tokens",), "user", hidden_status=403),
    Operation("GET", f"{_TOKENS}/{{token_id}}", ("read:tokens",), "user"),
    Operation("DELETE", f"{_TOKENS}/{{token_id}}", ("tokens",), "user"),
    # -- servers
    Operation("GET", _SERVER, ("read:servers",), "server", _DEFAULT),
    Operation("PUT", _SERVER, ("start:servers",), "server", _DEFAULT),
    Operation("POST", _SERVER, ("start:servers",), "server", _DEFAULT),
    Operation("PATCH", _SERVER, ("start:servers",), "server", _DEFAULT),
    Operation("DELETE", _SERVER, ("delete:servers",), "server", _DEFAULT),
    Operation(
        "GET",
        f"{_SERVER}/progress",
        ("read:servers",),
        "server",
        ("/users/{name}/server/progress",),
    ),
    Operation("GET", "/events", ("read:servers",), "servers"),
    # -- groups
    Operation("GET", "/groups", ("list:groups",), "groups"),
    Operation("POST", "/groups", ("admin:groups",), "each group"),
    Operation("GET", _GROUP, _SEE_GROUP, "group"),
    Operation("POST", _GROUP, ("admin:groups",), "group"),
    Operation("DELETE", _GROUP, ("delete:groups",), "group"),
    Operation("POST", f"{_GROUP}/users", ("groups",), "group"),
    Operation("DELETE", f"{_GROUP}/users", ("groups",), "group"),
    Operation("PUT", f"{_GROUP}/properties", ("groups",), "group"),
    # -- services
    Operation("GET", "/services", ("list:services",), "services"),
    Operation("GET", _SERVICE, _SEE_SERVICE, "service"),
    Operation("GET", f"{_SERVICE}/health", ("read:services",), "service"),
    Operation("POST", _SERVICE, ("admin:services",), "service"),
    Operation("PATCH", _SERVICE, ("admin:services",), "service"),
    Operation("DELETE", _SERVICE, ("admin:services",), "service"),
    # -- shares
    Operation("GET", "/shares/{user}", ("read:shares",), "user"),
    Operation("GET", _SHARES, ("read:shares",), "server", _SHARES_DEFAULT),
    Operation("POST", _SHARES, ("shares",), "server", _SHARES_DEFAULT),
    Operation("PATCH", _SHARES, ("shares",), "server", _SHARES_DEFAULT),
    Operation("DELETE", _SHARES, ("shares",), "server", _SHARES_DEFAULT),
    Operation("GET", "/share-codes/{user}", ("read:shares",), "user"),
    Operation("GET", _CODES, ("read:shares",), "server", _CODES_DEFAULT),
    Operation("POST", _CODES, ("shares",), "server", _CODES_DEFAULT),
    Operation("DELETE", _CODES, ("shares",), "server", _CODES_DEFAULT),
    Operation("GET", "/users/{name}/shared", ("read:users:shares",), "user"),
    Operation("GET", _USER_SHARE, ("read:users:shares",), "user", _USER_SHARE_DEFAULT),
    Operation("DELETE", _USER_SHARE, ("users:shares",), "user", _USER_SHARE_DEFAULT),
    Operation("GET", "/groups/{name}/shared", ("read:groups:shares",), "group"),
    Operation("GET", _GROUP_SHARE, ("read:groups:shares",), "group", _GROUP_SHARE_DEFAULT),
    Operation("DELETE", _GROUP_SHARE, ("groups:shares",), "group", _GROUP_SHARE_DEFAULT),
)

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({op.name: op for op in _TABLE})
"""``METHOD PATH`` -> what it takes."""
