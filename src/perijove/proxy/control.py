"""The REST API: how the hub adds, lists and deletes routes.

The format is configurable-http-proxy's: ``/api/routes/PATH``, where PATH is a
route's key, percent-encoded. It is served on a port of its own, which should
be reachable for the hub alone, and asks for a shared secret.
"""

import hmac
import json
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote_to_bytes

from perijove.proxy.activity import iso_time
from perijove.proxy.httpd import Asked, Reply
from perijove.proxy.plane import Plane, loggable
from perijove.proxy.refusals import Refused
from perijove.proxy.table import Route, clean_key

log = logging.getLogger("perijove.proxy")

_ROUTES = "/api/routes"
_TEXT = "text/plain; charset=utf-8"


class Watcher(Protocol):
    """Follows the table."""

    def add(self, route: Route) -> None:
        """A route was added or replaced."""

    def remove(self, key: str) -> None:
        """A route was removed."""


class Crew(Protocol):
    """Other processes with the same table."""

    async def report(self) -> None:
        """Bring in what they alone know."""

    async def settled(self) -> None:
        """Return when they know all changes."""


class Control:
    """Answers requests for routes. Without ``token`` everybody may ask."""

    def __init__(self, plane: Plane, token: str = "") -> None:
        self._plane = plane
        self.watchers: list[Watcher] = []
        """Told of every change of the table."""
        self.crew: Crew | None = None
        """The other processes that have to know before a request is answered."""
        self._token = f"token {token}".encode() if token else b""

    def __call__(self, asked: Asked) -> Reply | Awaitable[Reply]:
        """The answer to one request, counted and logged."""
        return self._now(asked) if self.crew is None else self._with_crew(self.crew, asked)

    async def _with_crew(self, crew: Crew, asked: Asked) -> Reply:
        """Answer with what all workers know, and when all workers know."""
        if asked.method in ("GET", "HEAD"):
            await crew.report()
        reply = self._now(asked)
        await crew.settled()
        return reply

    def _now(self, asked: Asked) -> Reply:
        try:
            reply = self._answer(asked)
        except Refused as refused:
            reply = Reply(refused.status, refused.reason.encode(), _TEXT)
        except Exception:
            log.exception("The API failed to answer %s %s", asked.method, loggable(asked.path))
            reply = Reply(500)
        self._plane.metrics.requests_api[reply.status] += 1
        level = logging.INFO if reply.status < 400 else logging.WARNING
        log.log(level, "%d %s %s", reply.status, asked.method, loggable(asked.path))
        return reply

    def _answer(self, asked: Asked) -> Reply:
        if not self._may_ask(asked):
            return Reply(403)
        path = asked.path
        if path != _ROUTES and not path.startswith(_ROUTES + "/"):
            return Reply(404)
        method = "GET" if asked.method == "HEAD" else asked.method
        if method == "GET":
            self._plane.metrics.route_get += 1
            if path in (_ROUTES, f"{_ROUTES}/"):
                return self._list(asked)
            return self._show(_key(path))
        if method == "POST":
            return self._add(_key(path), asked.body)
        if method == "DELETE":
            return self._delete(_key(path))
        return Reply(405, b"Method not supported", _TEXT, (("Allow", "GET, HEAD, POST, DELETE"),))

    def _may_ask(self, asked: Asked) -> bool:
        if not self._token:
            return True
        given = asked.fields.get("authorization", "").encode("latin-1")
        return hmac.compare_digest(given, self._token)

    def _list(self, asked: Asked) -> Reply:
        query = parse_qs(asked.query, keep_blank_values=True)
        since = query.get("inactiveSince") or query.get("inactive_since")
        before_s = _moment(since[0]) if since and since[0] else None
        routes = {
            route.key: _shown(route)
            for route in self._plane.table
            if before_s is None or route.last_activity_s < before_s
        }
        return _json(routes)

    def _show(self, key: str) -> Reply:
        route = self._plane.table.get(key)
        return Reply(404) if route is None else _json(_shown(route))

    def _add(self, key: str, body: bytes) -> Reply:
        data = _json_body(body)
        url = data.get("target") if isinstance(data, dict) else None
        if not isinstance(url, str) or not url:
            raise Refused(400, "Must specify 'target' as string")
        assert isinstance(data, dict)
        self.add_route(key, url, data)
        return Reply(201)

    def add_route(self, key: str, url: str, data: dict[str, Any]) -> None:
        """Store a route, or replace it. Raises Refused when it cannot be one."""
        try:
            target = self._plane.targets.take(url)
        except ValueError as error:
            raise Refused(400, str(error)) from None
        if self._plane.table.by_host and key != "/":
            data = {**data, "host": key.split("/")[1]}
        now_s = self._plane.activity.now()
        route = Route(key, target, data, now_s, self._plane.table.by_host)
        replaced = self._plane.table.add(route)
        if replaced is not None:
            self._plane.targets.release(replaced.target)
        for watcher in self.watchers:
            watcher.add(route)
        self._plane.metrics.route_add += 1
        log.info("Route %s to %s", loggable(key), loggable(url))

    def _delete(self, key: str) -> Reply:
        return Reply(204 if self.remove_route(key) else 404)

    def remove_route(self, key: str) -> bool:
        """Take a route out; False if there is none."""
        route = self._plane.table.remove(key)
        if route is None:
            return False
        self._plane.targets.release(route.target)
        for watcher in self.watchers:
            watcher.remove(key)
        self._plane.metrics.route_delete += 1
        log.info("No more route %s", loggable(key))
        return True


def _key(path: str) -> str:
    """The route's key that an API path names. Raises Refused when it is not UTF-8."""
    try:
        return clean_key(unquote_to_bytes(path[len(_ROUTES) :].encode("latin-1")).decode())
    except UnicodeDecodeError:
        raise Refused(400, "The route's path is not UTF-8") from None


def _shown(route: Route) -> dict[str, Any]:
    return {**route.data, "last_activity": iso_time(route.last_activity_s)}


def _json(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode(), "application/json")


def _json_body(body: bytes) -> object:
    try:
        value: object = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"Body not valid JSON: {error}") from None
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


def _moment(text: str) -> float:
    """The Unix time of an ISO 8601 moment; without an offset it is UTC. Raises Refused."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+", 1) if "T" in text else text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise Refused(400, f"Invalid datestamp '{text[:100]}' must be ISO8601.") from None
