"""All servers as one stream of events, for applications that would else poll."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.responses import Response, StreamingResponse

from perijove.access.decide import Grant, Target, reaches
from perijove.access.grammar import ALL
from perijove.access.operations import OPERATIONS
from perijove.domain.servers import Server
from perijove.kit import jsons
from perijove.servers.feed import Change, Snapshot
from perijove.web.api.operations import Parameter, Text, operation
from perijove.web.call import Call
from perijove.wire import models

KEEPALIVE_S = 8.0
SCOPE = "read:servers"


@operation(
    "GET",
    "/events",
    "Follow all servers",
    query=(Parameter("_xsrf", "string", "proof of origin, for EventSource with a cookie"),),
    header=(Parameter("Last-Event-ID", "string", "go on behind this event"),),
    answers={200: Text("text/event-stream", models.ServerSnapshot | models.ServerEvent)},
)
async def follow_servers(call: Call) -> Response:
    """What happens to every server that the caller may see, as server-sent events.

    First ``snapshot`` with all active servers, unless ``Last-Event-ID`` is still known;
    then ``server`` and ``removed``. A new snapshot comes when changes may have been
    missed. The stream ends when the caller's credential does.
    """
    call.visible(OPERATIONS["GET /events"].needs, "server")
    cursor = call.request.headers.get("last-event-id", "")
    headers = {"cache-control": "no-cache"}
    return StreamingResponse(_events(call, cursor), 200, headers, media_type="text/event-stream")


async def _events(call: Call, cursor: str) -> AsyncIterator[bytes]:
    async with aclosing(call.rooms.feed.follow(cursor, KEEPALIVE_S)) as pieces:
        async for piece in pieces:
            grant = await _grant_now(call)
            if grant is None:
                return
            if piece is None:
                yield b":\n\n"
            elif isinstance(piece, Snapshot):
                yield await _snapshot(call, grant, piece)
            else:
                yield await _changes(call, grant, piece)


async def _snapshot(call: Call, grant: Grant, snapshot: Snapshot) -> bytes:
    seen = [await _look(call, grant, s.user_name, s.name, s) for s in snapshot.servers]
    servers = [about for about in seen if about is not None]
    return _event(snapshot.cursor, "snapshot", {"servers": servers})


async def _changes(call: Call, grant: Grant, changes: tuple[Change, ...]) -> bytes:
    events, about = [], None
    for change in changes:
        about = await _look(call, grant, change.user, change.name, change.server)
        if about is not None:
            kind = "removed" if change.server is None else "server"
            events.append(_event(change.cursor, kind, about))
    if about is None:
        # Nothing is told of what the caller may not see, but the place to go on from moves.
        events.append(f"id: {changes[-1].cursor}\n\n".encode())
    return b"".join(events)


async def _grant_now(call: Call) -> Grant | None:
    """What the caller may do at this moment; None once that does not include following."""
    callers = call.rooms.callers
    find = callers.by_token if call.caller.token is not None else callers.by_cookie
    caller = await find(call.request)
    return caller.grant if caller.grant.holds(SCOPE) else None


async def _look(
    call: Call, grant: Grant, user: str, name: str, server: Server | None
) -> dict[str, Any] | None:
    """A server as the caller sees it; None when it is not for the caller's eyes."""
    by_group = grant.uses_groups((SCOPE,)) or grant.uses_groups(("admin:server_state",))
    groups = await call.rooms.groups_of(user) if by_group else frozenset[str]()
    filters = grant.parsed.get(SCOPE)
    if filters is not ALL and not (
        filters and reaches(filters, Target.of_server(user, name, groups))
    ):
        return None
    model = call.rooms.views.server_for(grant, server, groups) if server is not None else None
    return {"user": user, "name": name, "server": model}


def _event(cursor: str, kind: str, data: dict[str, Any]) -> bytes:
    return f"id: {cursor}\nevent: {kind}\ndata: ".encode() + jsons.encoded(data) + b"\n\n"
