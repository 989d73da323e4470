"""Domain values as the wire shows them: only the fields that the caller may read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from perijove.access.decide import Grant, Target, reaches
from perijove.access.fields import (
    needs_groups_for_fields,
    possible_user_fields,
    readable_group_fields,
    readable_servers,
    readable_service_fields,
    readable_user_fields,
    uniform_user_fields,
)
from perijove.access.grammar import ALL
from perijove.domain.groups import Group
from perijove.domain.servers import Server
from perijove.domain.shares import Share, ShareCode
from perijove.domain.tokens import TokenDetail
from perijove.domain.users import Parts, Service, User, UserDetail
from perijove.kit import jsons
from perijove.kit.clock import isoformat
from perijove.kit.urls import escape_name
from perijove.routes.addresses import Addresses

Json = dict[str, Any]

_NEED_SERVERS = frozenset({"server", "pending", "servers"})


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON, encoded once."""
    return encoded(jsons.encoded(value), status, headers)


def encoded(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON that is encoded already."""
    return Response(body, status, headers, media_type="application/json")


def empty(status: int) -> Response:
    """An answer without a body; ``Content-Type`` as clients of upstream see it."""
    if status == 204:
        return Response(status_code=204)
    return Response(b"", status, media_type="application/json")


def time_of(moment: datetime | None) -> str | None:
    """A moment on the wire."""
    return _instant(moment) if moment is not None else None


def _instant(moment: datetime) -> str:
    """``isoformat``, in a fifth of its time where orjson writes the same."""
    if moment.tzinfo is UTC and moment.microsecond:
        return orjson.dumps(moment, option=orjson.OPT_UTC_Z)[1:-1].decode()
    return isoformat(moment)


@lru_cache(maxsize=2048)
def parts_of_user(grant: Grant, *, stopped_servers: bool = False) -> Parts:
    """What ``Views.user`` may need to know of people for a caller with this grant."""
    fields = possible_user_fields(grant)
    by_group = needs_groups_for_fields(grant) or grant.uses_groups(("admin:server_state",))
    servers = not fields.isdisjoint(_NEED_SERVERS)
    return Parts(
        groups="groups" in fields or by_group,
        roles="roles" in fields,
        servers=("all" if stopped_servers else "active") if servers else "none",
    )


@dataclass(frozen=True)
class Views:
    """Makes wire models. ``live_state`` asks a running spawner for its state."""

    addresses: Addresses
    hub_prefix: str
    live_state: Callable[[int], Json | None]

    def progress_path(self, server: Server) -> str:
        """Where a start can be followed."""
        kind = f"servers/{escape_name(server.name)}" if server.name else "server"
        return f"{self.hub_prefix}api/users/{escape_name(server.user_name)}/{kind}/progress"

    def server(self, server: Server, *, state: bool = False) -> Json:
        """A server; ``state``: with what the spawner keeps of it."""
        user, name = server.user_name, server.name
        progress = self.progress_path(server)
        origin = self.addresses.public_origin
        model: Json = {
            "name": name,
            "display_name": name if server.display_name is None else server.display_name,
            "full_name": server.full_name,
            "last_activity": time_of(server.last_activity),
            "started": time_of(server.started),
            "pending": server.pending,
            "ready": server.ready,
            "stopped": not server.active,
            "url": self.addresses.server_url(user, name),
            "user_options": server.options or {},
            "progress_url": progress,
            "full_url": self.addresses.full_server_url(user, name),
            "full_progress_url": origin + progress if origin else None,
        }
        if state:
            live = self.live_state(server.id)
            model["state"] = server.plugin_state if live is None else live
        return model

    def server_for(self, grant: Grant, server: Server, groups: frozenset[str]) -> Json:
        """A server as a caller who may read it sees it."""
        return self.server(server, state=self._sees_state(grant, server, groups))

    @staticmethod
    def _sees_state(grant: Grant, server: Server, groups: frozenset[str]) -> bool:
        filters = grant.parsed.get("admin:server_state")
        if filters is None or filters is ALL:
            return filters is ALL
        return reaches(filters, Target.of_server(server.user_name, server.name, groups))

    def user(
        self,
        grant: Grant,
        detail: UserDetail,
        *,
        stopped_servers: bool = False,
        auth_state: Json | None = None,
    ) -> Json:
        """A user; empty when the caller may read nothing of it."""
        user = detail.user
        fields = uniform_user_fields(grant)
        if fields is None:
            target = Target.of_user(user.name, frozenset(detail.groups))
            fields = readable_user_fields(grant, target)
        if not fields:
            return {}
        default = None
        if detail.servers:
            default = next((server for server in detail.servers if not server.name), None)
        model: Json = {"kind": "user", "name": user.name}
        if "admin" in fields:
            model["admin"] = user.admin
        if "roles" in fields:
            model["roles"] = list(detail.roles)
        if "groups" in fields:
            model["groups"] = list(detail.groups)
        if "server" in fields:
            model["server"] = self._default_url(default)
        if "pending" in fields:
            model["pending"] = default.pending if default else None
        if "created" in fields:
            model["created"] = _instant(user.created)
        if "last_activity" in fields:
            model["last_activity"] = time_of(user.last_activity)
        if "user_info" in fields:
            model["user_info"] = user.user_info
        if "servers" in fields:
            servers = self._servers(grant, detail, stopped_servers)
            if servers is not None:
                model["servers"] = servers
        if "auth_state" in fields:
            model["auth_state"] = auth_state
        return model

    def _default_url(self, server: Server | None) -> str | None:
        if server is None or not server.ready:
            return None
        return self.addresses.server_url(server.user_name, "")

    def _servers(self, grant: Grant, detail: UserDetail, stopped: bool) -> Json | None:
        """The servers that the caller sees; None if that is by name, and of none of these."""
        if not detail.servers and grant.parsed.get("read:servers") is ALL:
            return {}  # as for most people of a long list
        groups = frozenset(detail.groups)
        visible = readable_servers(grant, Target.of_user(detail.user.name, groups))
        servers = {
            server.name: self.server_for(grant, server, groups)
            for server in detail.servers
            if (server.active or stopped) and (visible is ALL or server.name in visible)
        }
        return servers if servers or visible is ALL else None

    @staticmethod
    def group(grant: Grant, group: Group) -> Json:
        """A group; empty when the caller may read nothing of it."""
        fields = readable_group_fields(grant, Target.of_group(group.name))
        model: Json = {
            "kind": "group",
            "name": group.name,
            "users": list(group.users),
            "roles": list(group.roles),
            "properties": group.properties,
        }
        return {name: value for name, value in model.items() if name in fields}

    def service(self, grant: Grant, service: Service, roles: tuple[str, ...]) -> Json:
        """A service; empty when the caller may read nothing of it."""
        fields = readable_service_fields(grant, Target.of_service(service.name))
        model: Json = {
            "kind": "service",
            "name": service.name,
            "admin": service.admin,
            "roles": list(roles),
            "url": service.url,
            "prefix": self.addresses.service_path(service.name) if service.url else "",
            "command": list(service.command),
            "pid": service.pid or 0,
            "info": service.info,
            "display": service.display,
        }
        return {name: value for name, value in model.items() if name in fields}

    @staticmethod
    def token(detail: TokenDetail, owner: User | Service, scopes: list[str]) -> Json:
        """A token, without its secret; ``scopes`` as they are now, expanded."""
        token = detail.token
        kind = "user" if isinstance(owner, User) else "service"
        return {
            kind: owner.name,
            "id": token.public_id,
            "kind": "api_token",
            "roles": [],
            "scopes": scopes,
            "created": time_of(token.created),
            "last_activity": time_of(token.last_activity),
            "expires_at": time_of(token.expires_at),
            "note": token.note,
            "session_id": token.session_id,
            "oauth_client": detail.client,
        }

    def share(self, share: Share) -> Json:
        """A share, as its giver and its receivers see it."""
        return {
            "server": self._shared_server(share),
            "scopes": list(share.scopes),
            "user": {"name": share.user} if share.user is not None else None,
            "group": {"name": share.group} if share.group is not None else None,
            "kind": "group" if share.group is not None else "user",
            "created_at": time_of(share.created),
        }

    def share_code(self, code: ShareCode) -> Json:
        """A share code, without the code itself."""
        return {
            "server": self._shared_server(code),
            "scopes": list(code.scopes),
            "id": f"sc_{code.id}",
            "created_at": time_of(code.created),
            "expires_at": time_of(code.expires_at),
            "exchange_count": code.exchange_count,
            "last_exchanged_at": time_of(code.last_exchanged_at),
        }

    def new_share_code(self, code: ShareCode, secret: str) -> Json:
        """A share code just made, with the secret and the link that hands it in."""
        path = f"{self.hub_prefix}accept-share?{urlencode({'code': secret})}"
        origin = self.addresses.public_origin
        return {
            **self.share_code(code),
            "code": secret,
            "accept_url": path,
            "full_accept_url": origin + path if origin else None,
        }

    def _shared_server(self, shared: Share | ShareCode) -> Json:
        """What a share tells of its server: where it is, and whether it can be used."""
        owner, name = shared.owner, shared.server_name
        return {
            "user": {"name": owner},
            "name": name,
            "url": self.addresses.server_url(owner, name),
            "full_url": self.addresses.full_server_url(owner, name),
            "ready": shared.server_ready,
        }
