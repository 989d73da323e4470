"""Groups: lists, members, properties."""

from collections.abc import Sequence

from starlette.responses import Response

from perijove.access.decide import (
    PERSON_NEEDS,
    Target,
    decide_each,
    decide_membership,
    raise_if_denied,
)
from perijove.access.operations import OPERATIONS
from perijove.domain.errors import InvalidInput
from perijove.domain.groups import Group
from perijove.web.api.operations import LENIENT, operation, read_body
from perijove.web.api.paging import PARAMETERS, page_of
from perijove.web.call import Call
from perijove.web.preferences import applied, prefers_lenient
from perijove.web.views import as_json, empty
from perijove.wire import models, requests

GROUP = "/groups/{name}"
MEMBERS = "/groups/{name}/users"


async def _require(call: Call, method: str, path: str = GROUP) -> str:
    name = call.params["name"]
    await call.require(OPERATIONS[f"{method} {path}"].needs, Target.of_group(name))
    return name


async def _require_membership(call: Call, groups: Sequence[str], users: Sequence[str]) -> None:
    """Raises Forbidden or NotFound unless the caller may put these people into the groups."""
    if not users:
        return
    grant = call.caller.grant
    caller = call.caller.user.name if call.caller.user is not None else ""
    for group in groups:
        raise_if_denied(decide_membership(grant, group, (), caller))
    for user in users:
        target = Target.of_user(call.rooms.authenticator.normalize(user))
        person = await call.with_groups(PERSON_NEEDS, target)
        # The right over a person is the same for every group.
        raise_if_denied(decide_membership(grant, groups[0], [person], caller))


def _answer(call: Call, group: Group, status: int = 200) -> Response:
    return as_json(call.rooms.views.group(call.caller.grant, group), status)


@operation(
    "GET",
    "/groups",
    "List groups",
    query=PARAMETERS,
    answers={200: list[models.Group] | models.GroupPage},
)
async def list_groups(call: Call) -> Response:
    """The groups that the caller may see, a page at a time."""
    rows = call.visible(OPERATIONS["GET /groups"].needs, "group")
    page = page_of(call)
    names = None if rows.all else rows.groups
    found, total = await call.rooms.groups.page(page.offset, page.limit, names)
    views = (call.rooms.views.group(call.caller.grant, group) for group in found)
    return as_json(page.answer(call, [view for view in views if view], total))


@operation(
    "POST",
    "/groups",
    "Create groups",
    body=requests.GroupsRequest,
    body_required=True,
    header=(LENIENT,),
    answers={200: list[models.Group], 201: list[models.Group]},
    errors=(409,),
)
async def create_groups(call: Call) -> Response:
    """Several groups with the same members: all of them, or none.

    With ``Prefer: handling=lenient`` those that exist stay as they are, and the others are made.
    """
    needs = OPERATIONS["POST /groups"].needs
    raise_if_denied(decide_each(call.caller.grant, needs, ()))
    body = await read_body(call, requests.GroupsRequest, "group")
    if body is None or not body.groups:
        raise InvalidInput("Must specify at least one group to create")
    targets = [Target.of_group(name) for name in body.groups]
    raise_if_denied(decide_each(call.caller.grant, needs, targets))
    await _require_membership(call, body.groups, body.users)
    groups, status = await _create(call, body.groups, body.users)
    views = [call.rooms.views.group(call.caller.grant, group) for group in groups]
    return applied(as_json(views, status), lenient=prefers_lenient(call.request))


async def _create(
    call: Call, names: Sequence[str], users: Sequence[str]
) -> tuple[list[Group], int]:
    """New groups, or with lenient handling all of these names; and the status for it."""
    if not prefers_lenient(call.request):
        return await call.rooms.groups.create(names, users), 201
    groups, made = await call.rooms.groups.ensure(names, users)
    return groups, 201 if made else 200


@operation(
    "GET",
    GROUP,
    "One group",
    answers={200: models.Group},
)
async def get_group(call: Call) -> Response:
    """A group, with the fields that the caller may read."""
    return _answer(call, await call.rooms.groups.get(await _require(call, "GET")))


@operation(
    "POST",
    GROUP,
    "Create a group",
    body=requests.GroupRequest,
    header=(LENIENT,),
    answers={200: models.Group, 201: models.Group},
    errors=(409,),
)
async def create_group(call: Call) -> Response:
    """One group, maybe with members.

    200: there was one, and it stays as it was (``Prefer: handling=lenient``).
    """
    name = await _require(call, "POST")
    body = await read_body(call, requests.GroupRequest, "group") or requests.GroupRequest()
    await _require_membership(call, [name], body.users)
    groups, status = await _create(call, [name], body.users)
    return applied(_answer(call, groups[0], status), lenient=prefers_lenient(call.request))


@operation("DELETE", GROUP, "Delete a group", answers={204: None})
async def delete_group(call: Call) -> Response:
    """A group goes; its members stay users."""
    await call.rooms.groups.delete(await _require(call, "DELETE"))
    return empty(204)


async def _members(call: Call) -> Sequence[str]:
    body = await read_body(call, requests.MembersRequest, "group")
    if body is None:
        raise InvalidInput("The body must name users, as in {'users': ['ada']}")
    return body.users


@operation(
    "POST",
    MEMBERS,
    "Add members to a group",
    body=requests.MembersRequest,
    body_required=True,
    answers={200: models.Group},
)
async def add_members(call: Call) -> Response:
    """Put people into a group: takes a right over the group and over each person."""
    name = await _require(call, "POST", MEMBERS)
    users = await _members(call)
    await _require_membership(call, [name], users)
    return _answer(call, await call.rooms.groups.add(name, users))


@operation(
    "DELETE",
    MEMBERS,
    "Remove members from a group",
    body=requests.MembersRequest,
    body_required=True,
    answers={200: models.Group},
)
async def remove_members(call: Call) -> Response:
    """Take people out of a group; who is not in it is no error."""
    name = await _require(call, "DELETE", MEMBERS)
    return _answer(call, await call.rooms.groups.remove(name, await _members(call)))


@operation(
    "PUT",
    f"{GROUP}/properties",
    "Set a group's properties",
    body=requests.GroupProperties,
    body_required=True,
    answers={200: models.Group},
)
async def set_group_properties(call: Call) -> Response:
    """The body becomes what is kept with the group, in place of all that was."""
    name = await _require(call, "PUT", f"{GROUP}/properties")
    properties = await call.json()
    if not isinstance(properties, dict):
        raise InvalidInput("The properties of a group must be a JSON object")
    return _answer(call, await call.rooms.groups.set_properties(name, properties))
