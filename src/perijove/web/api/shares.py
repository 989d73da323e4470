"""Sharing: who may use whose server, and codes that give such access.

Owners give and take (``/shares``, ``/share-codes``); receivers look at what they
got and may give it up (``/users/NAME/shared``, ``/groups/NAME/shared``). The
default server has an empty name, so its paths end with a slash.
"""

from starlette.responses import Response

from perijove.access.decide import Target
from perijove.access.operations import OPERATIONS
from perijove.domain.errors import NotFound
from perijove.domain.groups import Group
from perijove.domain.servers import Server
from perijove.domain.shares import Share
from perijove.domain.users import User
from perijove.people.shares import Receiver
from perijove.web.api.operations import Parameter, operation, read_body
from perijove.web.api.paging import PARAMETERS, Page, page_of
from perijove.web.call import Call
from perijove.web.views import as_json, empty
from perijove.wire import models, requests

SHARES = "/shares/{user}/{server}"
CODES = "/share-codes/{user}/{server}"
RECEIVED = "/users/{name}/shared"
RECEIVED_ONE = "/users/{name}/shared/{owner}/{server}"
GROUP_RECEIVED = "/groups/{name}/shared"
GROUP_RECEIVED_ONE = "/groups/{name}/shared/{owner}/{server}"


# -- what a path is about -------------------------------------------------


async def _user(call: Call, operation_name: str, param: str) -> User:
    """The user of the path, if the caller may do this. Raises NotFound."""
    name = call.params[param]
    await call.require(OPERATIONS[operation_name].needs, Target.of_user(name))
    user = await call.rooms.users.find(name)
    if user is None:
        raise NotFound
    return user


async def _group(call: Call, operation_name: str) -> Group:
    name = call.params["name"]
    await call.require(OPERATIONS[operation_name].needs, Target.of_group(name))
    return await call.rooms.groups.get(name)


async def _server_of(call: Call, owner: str) -> Server:
    """The server of the path, which may be the default one. Raises NotFound."""
    name = call.params.get("server", "")
    detail = await call.rooms.users.get(owner)
    for server in detail.servers:
        if server.name == name:
            return server
    raise NotFound


async def _own_server(call: Call, operation_name: str) -> Server:
    """The server of the path, if the caller may do this to it. Raises NotFound."""
    owner, name = call.params["user"], call.params.get("server", "")
    await call.require(OPERATIONS[operation_name].needs, Target.of_server(owner, name))
    return await _server_of(call, owner)


def _shares(call: Call, page: Page, found: tuple[list[Share], int]) -> Response:
    shares, total = found
    return as_json(page.answer(call, [call.rooms.views.share(share) for share in shares], total))


# -- given ----------------------------------------------------------------


@operation(
    "GET",
    "/shares/{user}",
    "Shares of all of a user's servers",
    query=PARAMETERS,
    answers={200: models.SharePage},
)
async def list_shares(call: Call) -> Response:
    """Who may use which of a user's servers."""
    owner = await _user(call, "GET /shares/{user}", "user")
    page = page_of(call, always=True)
    return _shares(call, page, await call.rooms.shares.of_owner(owner, page.offset, page.limit))


@operation(
    "GET",
    SHARES,
    "Shares of a server",
    query=PARAMETERS,
    answers={200: models.SharePage},
)
async def list_server_shares(call: Call) -> Response:
    """Who may use a server."""
    server = await _own_server(call, f"GET {SHARES}")
    page = page_of(call, always=True)
    return _shares(call, page, await call.rooms.shares.of_server(server, page.offset, page.limit))


async def _receiver(call: Call) -> tuple[Receiver, list[str] | None]:
    """Who is meant by the body, and which scopes. Raises InvalidInput."""
    body = await read_body(call, requests.ShareRequest, "share") or requests.ShareRequest()
    user = body.user
    if user is not None:
        user = call.rooms.authenticator.normalize(user)
    return Receiver(user=user, group=body.group), body.scopes


@operation(
    "POST",
    SHARES,
    "Share a server",
    body=requests.ShareRequest,
    body_required=True,
    answers={200: models.Share},
)
async def grant_share(call: Call) -> Response:
    """Give one user or group scopes on a server, on top of what they have of it."""
    server = await _own_server(call, f"POST {SHARES}")
    receiver, scopes = await _receiver(call)
    share = await call.rooms.shares.grant(server, receiver, scopes, call.caller.grant)
    return as_json(call.rooms.views.share(share))


@operation(
    "PATCH",
    SHARES,
    "Take a share back",
    body=requests.ShareRequest,
    body_required=True,
    answers={200: models.Share | models.NoShare},
)
async def revoke_share(call: Call) -> Response:
    """Take scopes back from one user or group; answers what is left of the share."""
    server = await _own_server(call, f"PATCH {SHARES}")
    receiver, scopes = await _receiver(call)
    left = await call.rooms.shares.revoke(server, receiver, scopes)
    return as_json(call.rooms.views.share(left) if left is not None else {})


@operation("DELETE", SHARES, "Take all shares back", answers={204: None})
async def revoke_shares(call: Call) -> Response:
    """Nobody but the owner may use the server any more."""
    await call.rooms.shares.revoke_all(await _own_server(call, f"DELETE {SHARES}"))
    return empty(204)


# -- received -------------------------------------------------------------


@operation(
    "GET",
    RECEIVED,
    "Shares that a user received",
    query=PARAMETERS,
    answers={200: models.SharePage},
)
async def list_received(call: Call) -> Response:
    """Which servers of others a user may use, also through groups."""
    user = await _user(call, f"GET {RECEIVED}", "name")
    page = page_of(call, always=True)
    return _shares(call, page, await call.rooms.shares.received_by(user, page.offset, page.limit))


@operation("GET", RECEIVED_ONE, "One received share", answers={200: models.Share})
async def get_received(call: Call) -> Response:
    """What a user may do with one server of somebody else."""
    user = await _user(call, f"GET {RECEIVED_ONE}", "name")
    server = await _server_of(call, call.params["owner"])
    return as_json(call.rooms.views.share(await call.rooms.shares.find(server, user=user)))


@operation("DELETE", RECEIVED_ONE, "Give up a received share", answers={204: None})
async def leave_share(call: Call) -> Response:
    """A user gives up what was given to them directly."""
    user = await _user(call, f"DELETE {RECEIVED_ONE}", "name")
    server = await _server_of(call, call.params["owner"])
    await call.rooms.shares.leave(server, user=user)
    return empty(204)


@operation(
    "GET",
    GROUP_RECEIVED,
    "Shares that a group received",
    query=PARAMETERS,
    answers={200: models.SharePage},
)
async def list_group_received(call: Call) -> Response:
    """Which servers the members of a group may use."""
    group = await _group(call, f"GET {GROUP_RECEIVED}")
    page = page_of(call, always=True)
    return _shares(call, page, await call.rooms.shares.of_group(group, page.offset, page.limit))


@operation(
    "GET",
    GROUP_RECEIVED_ONE,
    "One share that a group received",
    answers={200: models.Share},
)
async def get_group_received(call: Call) -> Response:
    """What the members of a group may do with one server."""
    group = await _group(call, f"GET {GROUP_RECEIVED_ONE}")
    server = await _server_of(call, call.params["owner"])
    return as_json(call.rooms.views.share(await call.rooms.shares.find(server, group=group)))


@operation(
    "DELETE",
    GROUP_RECEIVED_ONE,
    "Give up a share that a group received",
    answers={204: None},
)
async def leave_group_share(call: Call) -> Response:
    """A group's members may no longer use a server."""
    group = await _group(call, f"DELETE {GROUP_RECEIVED_ONE}")
    server = await _server_of(call, call.params["owner"])
    await call.rooms.shares.leave(server, group=group)
    return empty(204)


# -- codes ----------------------------------------------------------------


async def _codes(call: Call, *, owner: User | None = None, server: Server | None = None) -> object:
    page = page_of(call, always=True)
    found, total = await call.rooms.share_codes.page(
        owner=owner, server=server, offset=page.offset, limit=page.limit
    )
    return page.answer(call, [call.rooms.views.share_code(code) for code in found], total)


@operation(
    "GET",
    "/share-codes/{user}",
    "Share codes of all of a user's servers",
    query=PARAMETERS,
    answers={200: models.ShareCodePage},
)
async def list_share_codes(call: Call) -> Response:
    """The valid codes, without their secrets."""
    owner = await _user(call, "GET /share-codes/{user}", "user")
    return as_json(await _codes(call, owner=owner))


@operation(
    "GET",
    CODES,
    "Share codes of a server",
    query=PARAMETERS,
    answers={200: models.ShareCodePage},
)
async def list_server_share_codes(call: Call) -> Response:
    """The valid codes, without their secrets."""
    server = await _own_server(call, f"GET {CODES}")
    return as_json(await _codes(call, server=server))


@operation(
    "POST",
    CODES,
    "Make a share code",
    body=requests.ShareCodeRequest,
    answers={200: models.NewShareCode},
)
async def create_share_code(call: Call) -> Response:
    """A code for whoever gets to know it; it is in the answer, and nowhere else again."""
    server = await _own_server(call, f"POST {CODES}")
    body = await read_body(call, requests.ShareCodeRequest, "code") or requests.ShareCodeRequest()
    made = await call.rooms.share_codes.create(
        server, body.scopes, body.expires_in, call.caller.grant
    )
    return as_json(call.rooms.views.new_share_code(made.code, made.secret))


@operation(
    "DELETE",
    CODES,
    "End share codes",
    query=(
        Parameter("code", "string", "the code to end"),
        Parameter("id", "string", "the id of the code to end; neither: all of the server"),
    ),
    answers={204: None},
)
async def revoke_share_codes(call: Call) -> Response:
    """Codes end; shares that were made with them stay."""
    server = await _own_server(call, f"DELETE {CODES}")
    await call.rooms.share_codes.revoke(
        server, code=call.argument("code"), public_id=call.argument("id")
    )
    return empty(204)
