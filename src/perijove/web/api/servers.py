"""Servers of users: start, stop, create, edit, remove, follow."""

import logging
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from perijove.access.decide import Target
from perijove.domain.errors import Conflict, InvalidInput, NotFound
from perijove.domain.servers import Server, State
from perijove.domain.users import User, UserDetail
from perijove.kit import jsons
from perijove.kit.aio import maybe_await
from perijove.servers.commands import KEEP
from perijove.servers.progress import failed_event, ready_event
from perijove.web.api.operations import (
    LENIENT,
    WAIT,
    WAIT_OR_LENIENT,
    Parameter,
    Text,
    operation,
    parse_body,
    read_body,
)
from perijove.web.call import Call
from perijove.web.freshness import require_fresh
from perijove.web.preferences import applied, preferred_wait_s, prefers_lenient
from perijove.web.views import as_json, empty
from perijove.wire import models, requests

log = logging.getLogger("perijove.web")

SERVER = "/users/{name}/servers/{server_name}"
DEFAULT = "/users/{name}/server"
KEEPALIVE_S = 8.0
PLAIN = {"content-type": "text/plain"}
"""Of empty answers, as clients of upstream see them."""


async def _find(call: Call, method: str) -> tuple[UserDetail, str, Server | None]:
    """The user and the server of the path, if the caller may do this. Raises NotFound."""
    name, server_name = call.params["name"], call.params.get("server_name", "")
    await call.require_for(f"{method} {SERVER}", Target.of_server(name, server_name))
    detail = await call.rooms.users.get(name)
    server = next((s for s in detail.servers if s.name == server_name), None)
    return detail, server_name, server


async def _find_owner(call: Call, method: str) -> tuple[User, str, Server | None]:
    """``_find`` for callers that need of the owner only who it is."""
    name, server_name = call.params["name"], call.params.get("server_name", "")
    await call.require_for(f"{method} {SERVER}", Target.of_server(name, server_name))
    user, server = await call.rooms.commands.find_owner(name, server_name)
    return user, server_name, server


def _require_named_enabled(call: Call, name: str) -> None:
    if name and not call.rooms.settings.servers.allow_named_servers:
        raise InvalidInput("Named servers are not enabled.")


async def named_limit(call: Call) -> int:
    """How many named servers the caller may have; 0: any number."""
    limit = call.rooms.settings.servers.named_server_limit_per_user
    if callable(limit):
        limit = await maybe_await(limit(call.rooms.handler_for(call.request)))
    return int(limit or 0)


def _display_name(text: str | None) -> str | None:
    if text is not None and not text.isprintable():
        raise InvalidInput("display_name must not contain control characters")
    return text or None


def _view(call: Call, server: Server, detail: UserDetail) -> dict[str, Any]:
    return call.rooms.views.server_for(call.caller.grant, server, frozenset(detail.groups))


@operation(
    "GET",
    SERVER,
    "One server",
    answers={200: models.Server},
)
async def get_server(call: Call) -> Response:
    """A server, running or not."""
    detail, name, server = await _find(call, "GET")
    if server is None:
        raise NotFound(f"{detail.user.name} has no server named {name!r}")
    return as_json(_view(call, server, detail))


@operation(
    "PUT",
    SERVER,
    "Create a named server without starting it",
    body=requests.ServerRequest | requests.StartOptions,
    header=(LENIENT,),
    answers={200: models.Server, 201: models.Server},
    errors=(409,),
)
async def create_server(call: Call) -> Response:
    """A new, stopped named server.

    200: there was one, and it stays as it was (``Prefer: handling=lenient``).
    """
    detail, name, server = await _find(call, "PUT")
    lenient = prefers_lenient(call.request)
    status = 200
    try:
        if server is None:
            server, status = await _create(call, detail.user, name), 201
        elif not lenient:
            raise Conflict(f"Server {server.full_name} already exists")
    except Conflict:
        # With lenient handling: another request made it at the same time.
        server = await call.rooms.commands.find(detail.user.name, name) if lenient else None
        if server is None:
            raise
    if server.removing:
        raise Conflict(f"{server.full_name} is about to be deleted")
    return applied(as_json(_view(call, server, detail), status), lenient=lenient)


async def _create(call: Call, user: User, name: str) -> Server:
    """A new server as the body describes it. Raises Conflict when it exists."""
    _require_named_enabled(call, name)
    options, display_name = await _start_arguments(call)
    return await call.rooms.commands.create(
        user,
        name,
        display_name=None if display_name is KEEP else display_name,
        options=None if options is KEEP else options,
        named_limit=await named_limit(call),
    )


@operation(
    "POST",
    SERVER,
    "Start a server",
    body=requests.ServerRequest | requests.StartOptions,
    header=(WAIT_OR_LENIENT,),
    answers={200: None, 201: None, 202: None},
    errors=(409,),
    refusals=True,
)
async def start_server(call: Call) -> Response:
    """Start a server, creating a named one; 202 when it takes longer than a moment.

    Who prefers to wait, or lenient handling, is answered 200 for a server that runs
    already, so that such a request can be repeated when its answer was lost.
    """
    user, name, before = await _find_owner(call, "POST")
    wait_s, lenient = preferred_wait_s(call.request), prefers_lenient(call.request)
    repeatable = lenient or wait_s is not None
    joined = before is not None and before.pending == "spawn"
    _require_named_enabled(call, name)
    options, display_name = await _start_arguments(call)
    if repeatable and before is not None and before.ready:
        return applied(empty(200), wait_s, lenient=lenient)
    await require_fresh(call, user, "spawn")
    rooms = call.rooms
    server = await rooms.commands.request_start(
        user,
        name,
        options=options,
        display_name=display_name,
        named_limit=await named_limit(call),
        request=call.request,
    )
    if joined and wait_s is None:
        # Whoever asked first waits for it.
        return applied(Response(status_code=202, headers=PLAIN), lenient=lenient)
    timeout_s = rooms.settings.limits.slow_spawn_timeout_s if wait_s is None else wait_s
    server = await rooms.commands.wait_started(server, timeout_s)
    started = Response(status_code=201 if server.ready else 202, headers=PLAIN)
    return applied(started, wait_s, lenient=lenient)


async def _start_arguments(call: Call) -> tuple[Any, Any]:
    """Options and display name of a start; KEEP where the body says nothing."""
    data = await call.json()
    if data is None or data == {}:
        return KEEP, KEEP
    if not isinstance(data, dict):
        raise InvalidInput("The body must be a JSON object with the options of the start")
    if not {"display_name", "user_options"} & set(data):
        # How options were sent before display names existed.
        return data, KEEP
    body = parse_body(data, requests.ServerRequest, "server")
    options = body.user_options if body.user_options is not None else KEEP
    return options, _display_name(body.display_name) or KEEP


@operation(
    "PATCH",
    SERVER,
    "Edit a stopped server",
    body=requests.ServerChange,
    body_required=True,
    answers={200: models.Server},
    errors=(409,),
    refusals=True,
)
async def edit_server(call: Call) -> Response:
    """Another name, display name or options for a stopped server."""
    detail, name, server = await _find(call, "PATCH")
    if server is None:
        raise NotFound(f"{detail.user.name} has no server named {name!r}")
    _require_named_enabled(call, name)
    body = await read_body(call, requests.ServerChange, "server")
    if body is None or not body.model_fields_set:
        raise InvalidInput("The body must name what to change: name, display_name, user_options")
    if body.name is not None and not name and body.name != name:
        raise InvalidInput("The default server cannot be renamed")
    edited = await call.rooms.commands.edit(
        server,
        detail.user,
        detail.groups,
        name=body.name,
        display_name=_display_name(body.display_name),
        options=body.user_options if body.user_options is not None else KEEP,
    )
    return as_json(_view(call, edited, detail))


@operation(
    "DELETE",
    SERVER,
    "Stop a server, or remove a named one",
    body=requests.ServerRemoval,
    header=(WAIT,),
    answers={202: None, 204: None},
    refusals=True,
)
async def stop_server(call: Call) -> Response:
    """Stop a server; with ``remove`` forget it after that. 202: still going on."""
    user, name, server = await _find_owner(call, "DELETE")
    _require_named_enabled(call, name)
    if server is None:
        raise NotFound(f"{user.name} has no server named {name!r}")
    body = await read_body(call, requests.ServerRemoval, "server") or requests.ServerRemoval()
    if body.remove and not name:
        raise InvalidInput("The default server can be stopped, but not removed")
    await require_fresh(call, user, "stop")
    rooms = call.rooms
    wait_s = preferred_wait_s(call.request)
    timeout_s = rooms.settings.limits.slow_stop_timeout_s if wait_s is None else wait_s
    if body.remove:
        done = await rooms.removals.remove_server(server, timeout_s)
    elif server.pending == "stop":
        done = wait_s is not None and await rooms.commands.wait_stopped(server, wait_s)
    elif server.active:
        await rooms.commands.request_stop(server)
        done = await rooms.commands.wait_stopped(server, timeout_s)
    else:
        done = True
    return applied(empty(204 if done else 202), wait_s)


@operation(
    "GET",
    f"{SERVER}/progress",
    "Follow a start",
    query=(Parameter("_xsrf", "string", "proof of origin, for EventSource with a cookie"),),
    answers={200: Text("text/event-stream", models.ProgressEvent)},
)
async def follow_start(call: Call) -> Response:
    """Events of the current start: first what happened so far, then what follows."""
    name, server_name = call.params["name"], call.params.get("server_name", "")
    await call.require_for(f"GET {SERVER}/progress", Target.of_server(name, server_name))
    server = await call.rooms.commands.find(name, server_name)
    if server is None:
        raise NotFound(f"{name} has no server named {server_name!r}")
    if server.ready:
        return _stream(_only(await _ready(call, server)))
    if server.state is State.STOPPED and server.failure is not None:
        failure = server.failure
        event = failed_event(failure.message, failure.html_message)
        if failure.reason == "cancelled":
            event["message"] = failure.message
        return _stream(_only(event))
    if server.pending != "spawn":
        raise InvalidInput(f"{server.full_name} is not starting...")
    return _stream(_events(call, server))


async def _ready(call: Call, server: Server) -> dict[str, Any]:
    event = ready_event(call.rooms.addresses.server_url(server.user_name, server.name))
    holding = call.rooms.commands.holding(server.id)
    if holding is not None and holding.port is not None:
        return await holding.port.ready_event(event)
    return event


def _stream(events: AsyncIterator[bytes]) -> Response:
    headers = {"cache-control": "no-cache"}
    return StreamingResponse(events, 200, headers, media_type="text/event-stream")


async def _only(event: dict[str, Any]) -> AsyncIterator[bytes]:
    yield b"data: " + jsons.encoded(event) + b"\n\n"


async def _events(call: Call, server: Server) -> AsyncIterator[bytes]:
    async for event in call.rooms.progress.follow(server, KEEPALIVE_S):
        yield b"\n\n" if event is None else b"data: " + jsons.encoded(event.data) + b"\n\n"
