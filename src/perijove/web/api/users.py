"""Users: who calls, lists, accounts, activity."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from starlette.responses import Response

from perijove.access.decide import Target, decide_each, raise_if_denied
from perijove.access.operations import OPERATIONS
from perijove.access.tokens import with_identity
from perijove.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from perijove.domain.users import Service, User, UserDetail, UserQuery
from perijove.kit import jsons
from perijove.kit.clock import parse_time
from perijove.people.activity import Key, Kind
from perijove.people.grants import owner_of
from perijove.people.users import UNCHANGED
from perijove.web.api.operations import LENIENT, WAIT, Parameter, operation, read_body
from perijove.web.api.paging import PARAMETERS, flag, page_of
from perijove.web.call import Call
from perijove.web.preferences import applied, preferred_wait_s, prefers_lenient
from perijove.web.views import as_json, empty, encoded, parts_of_user
from perijove.wire import models, requests

USER = "/users/{name}"
STOPPED = Parameter(
    "include_stopped_servers", "string", "stopped servers as well, unless 0 or false"
)
STATES = ("active", "ready", "inactive")
SORTS = ("id", "name", "last_activity")


def _view(call: Call, detail: UserDetail, auth_state: Any = None) -> dict[str, Any]:
    return call.rooms.views.user(
        call.caller.grant,
        detail,
        stopped_servers=flag(call, STOPPED.name),
        auth_state=auth_state,
    )


@operation("GET", "/user", "Who calls", answers={200: models.UserIdentity | models.ServiceIdentity})
async def who_am_i(call: Call) -> Response:
    """The caller, and what the credential may do."""
    caller, rooms = call.caller, call.rooms
    owner = caller.user or caller.service
    assert owner is not None
    if caller.token is None:
        return as_json(await _identity(call, owner, []))
    slot = rooms.answers.look_up(caller.token.id, caller.token, owner, caller.grant)
    if slot.body is not None:
        return encoded(slot.body)
    shown: list[Key] = []
    body = jsons.encoded(await _identity(call, owner, shown))
    if caller.service is not None or not caller.grant.holds("admin:server_state"):
        # Otherwise it may show the state of a spawner, which changes without a word to anybody.
        rooms.answers.keep(slot, body, shown)
    return encoded(body)


async def _identity(call: Call, owner: User | Service, shown: list[Key]) -> dict[str, Any]:
    """The model of the caller; ``shown`` is filled with whose activity is in it."""
    caller, rooms = call.caller, call.rooms
    # Every credential may know its owner; what was added for that is not shown as a scope.
    grant = with_identity(caller.grant, owner_of(owner))
    if isinstance(owner, User):
        detail = await rooms.users.get(owner.name, parts_of_user(grant))
        shown += [(Kind.USER, detail.user.id), *((Kind.SERVER, s.id) for s in detail.servers)]
        model = rooms.views.user(grant, detail)
    else:
        roles = await rooms.registry.roles_of(owner)
        model = rooms.views.service(grant, owner, roles)
    model["token_id"] = caller.token.public_id if caller.token is not None else None
    model["session_id"] = caller.token.session_id if caller.token is not None else None
    model["scopes"] = sorted(caller.grant.scopes)
    return model


@operation(
    "GET",
    "/users",
    "List users",
    query=(
        Parameter(
            "state",
            "string",
            "users with a server that runs or starts, with a ready one, with none; empty: all",
            choices=(*STATES, ""),
        ),
        Parameter("name_filter", "string", "part of the name, in any case"),
        Parameter(
            "sort",
            "string",
            "- in front: descending; missing: id",
            choices=(*SORTS, *(f"-{name}" for name in SORTS)),
        ),
        *PARAMETERS,
        STOPPED,
    ),
    answers={200: list[models.User] | models.UserPage},
)
async def list_users(call: Call) -> Response:
    """The users that the caller may see, a page at a time."""
    rows = call.visible(OPERATIONS["GET /users"].needs, "user")
    page = page_of(call)
    query = UserQuery(
        state=call.argument("state") or None,
        name_filter=call.argument("name_filter") or "",
        sort=call.argument("sort", "id") or "",
        offset=page.offset,
        limit=page.limit,
    )
    grant, stopped = call.caller.grant, flag(call, STOPPED.name)
    parts = parts_of_user(grant, stopped_servers=stopped)
    found, total = await call.rooms.users.page(query, rows, parts, counted=page.wrapped)
    view = call.rooms.views.user
    items = [model for each in found if (model := view(grant, each, stopped_servers=stopped))]
    return as_json(page.answer(call, items, total))


@operation(
    "POST",
    "/users",
    "Create users",
    body=requests.UsersRequest,
    body_required=True,
    header=(LENIENT,),
    answers={200: list[models.User], 201: list[models.User]},
    errors=(409,),
)
async def create_users(call: Call) -> Response:
    """Several accounts at once; names that exist already are skipped.

    With ``Prefer: handling=lenient`` the answer has those, too, as they are.
    """
    needs = OPERATIONS["POST /users"].needs
    raise_if_denied(decide_each(call.caller.grant, needs, ()))
    body = await read_body(call, requests.UsersRequest, "user")
    names = (body.usernames if body else None) or []
    # Decided by the names that the accounts will have.
    stored = [call.rooms.users.checked_name(name) for name in names]
    targets = [await call.with_groups(needs, Target.of_user(name)) for name in stored]
    raise_if_denied(decide_each(call.caller.grant, needs, targets))
    if body is None or not names:
        raise InvalidInput("Must specify at least one user to create")
    people, status = await _create(call, names, admin=bool(body.admin))
    return _created(call, [_view(call, detail) for detail in people], status)


async def _create(call: Call, names: Sequence[str], *, admin: bool) -> tuple[list[UserDetail], int]:
    """New accounts, or with lenient handling all of these names; and the status for it."""
    users, by_admin = call.rooms.users, call.caller.admin
    if not prefers_lenient(call.request):
        return await users.create(names, admin=admin, by_admin=by_admin), 201
    try:
        await users.create(names, admin=admin, by_admin=by_admin)
    except Conflict:
        return await users.existing(names), 200
    return await users.existing(names), 201


def _created(call: Call, model: Any, status: int) -> Response:
    return applied(as_json(model, status), lenient=prefers_lenient(call.request))


async def _require(call: Call, method: str, path: str = USER) -> str:
    name = call.params["name"]
    await call.require_for(f"{method} {path}", Target.of_user(name))
    return name


@operation(
    "GET",
    USER,
    "One user",
    query=(STOPPED,),
    answers={200: models.User},
)
async def get_user(call: Call) -> Response:
    """A user, with the fields that the caller may read."""
    parts = parts_of_user(call.caller.grant, stopped_servers=flag(call, STOPPED.name))
    detail = await call.rooms.users.get(await _require(call, "GET"), parts)
    auth_state = None
    if call.caller.grant.holds("admin:auth_state"):
        auth_state = await call.rooms.auth_states.get(detail.user)
    return as_json(_view(call, detail, auth_state))


@operation(
    "POST",
    USER,
    "Create a user",
    body=requests.UserFields,
    header=(LENIENT,),
    answers={200: models.User, 201: models.User},
    errors=(409,),
)
async def create_user(call: Call) -> Response:
    """One account. 200: there was one, and it stays as it was (``Prefer: handling=lenient``)."""
    name = call.params["name"]
    raise_if_denied(decide_each(call.caller.grant, OPERATIONS[f"POST {USER}"].needs, ()))
    await call.require_for(f"POST {USER}", Target.of_user(call.rooms.users.checked_name(name)))
    body = await read_body(call, requests.UserFields, "user") or requests.UserFields()
    people, status = await _create(call, [name], admin=bool(body.admin))
    return _created(call, _view(call, people[0]), status)


@operation(
    "PATCH",
    USER,
    "Edit a user",
    body=requests.UserChange,
    body_required=True,
    answers={200: models.User},
    errors=(409,),
)
async def edit_user(call: Call) -> Response:
    """Another name, other rights, or another auth_state."""
    name = await _require(call, "PATCH")
    body = await read_body(call, requests.UserChange, "user")
    if body is None:
        raise InvalidInput("The body must name what to change: name, admin, auth_state")
    given = body.model_fields_set
    detail = await call.rooms.users.edit(
        name,
        by_admin=call.caller.admin,
        new_name=body.name,
        admin=body.admin,
        auth_state=body.auth_state if "auth_state" in given else UNCHANGED,
    )
    model = _view(call, detail)
    model["auth_state"] = await call.rooms.auth_states.get(detail.user)
    return as_json(model)


@operation(
    "DELETE",
    USER,
    "Delete a user",
    header=(WAIT,),
    answers={202: None, 204: None},
    refusals=True,
)
async def delete_user(call: Call) -> Response:
    """Stop the user's servers and delete the account. 202: a server is still stopping."""
    name = await _require(call, "DELETE")
    detail = await call.rooms.users.may_delete(name, by_admin=call.caller.admin)
    if call.caller.user is not None and call.caller.user.id == detail.user.id:
        raise InvalidInput("Cannot delete yourself!")
    stopping = [server for server in detail.servers if server.pending == "stop"]
    if stopping:
        raise InvalidInput(
            f"{stopping[0].full_name} is still stopping; try again when it has stopped"
        )
    wait_s = preferred_wait_s(call.request)
    timeout_s = call.rooms.settings.limits.slow_stop_timeout_s if wait_s is None else wait_s
    done = await call.rooms.removals.delete_user(detail.user, timeout_s)
    return applied(empty(204 if done else 202), wait_s)


@operation(
    "POST",
    f"{USER}/activity",
    "Report activity",
    body=requests.ActivityRequest,
    body_required=True,
    answers={200: None},
)
async def report_activity(call: Call) -> Response:
    """When a user and its servers were last active; earlier moments are ignored."""
    name = await _require(call, "POST", f"{USER}/activity")
    body = await read_body(call, requests.ActivityRequest, "activity")
    if body is None or not (body.last_activity or body.servers):
        raise InvalidInput("The body must have last_activity, servers, or both")
    servers = {key: _moment(entry.last_activity) for key, entry in (body.servers or {}).items()}
    moment = _moment(body.last_activity) if body.last_activity else None
    await call.rooms.activity.report(name, moment, servers)
    return empty(200)


def _moment(text: str) -> datetime:
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        raise InvalidInput(f"Not a valid timestamp: {text[:80]!r}") from None


@operation(
    "POST",
    f"{USER}/admin-access",
    "Nothing (kept for old clients)",
    answers={200: None},
    deprecated=True,
)
async def grant_admin_access(call: Call) -> Response:
    """Had an effect long ago; scopes say now who may open whose server."""
    name = await _require(call, "POST", f"{USER}/admin-access")
    if not call.rooms.settings.security.admin_access:
        raise Forbidden("admin access to user servers disabled")
    if await call.rooms.users.find(name) is None:
        raise NotFound
    return empty(200)
