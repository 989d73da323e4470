"""Whose credential is it? The old way to ask; ``GET /user`` with the token is the new one."""

from starlette.responses import Response

from perijove.access.tokens import with_identity
from perijove.domain.errors import InvalidInput, NotFound
from perijove.domain.users import Service, User
from perijove.people.grants import owner_of
from perijove.web.api.operations import operation
from perijove.web.call import Call
from perijove.web.views import as_json
from perijove.wire import models

MAX_COOKIE_BYTES = 4096


async def _answer(call: Call, owner: User | Service) -> Response:
    """The owner as the caller may see it; whose credential it is may everybody know who has it."""
    rooms = call.rooms
    grant = with_identity(call.caller.grant, owner_of(owner))
    if isinstance(owner, User):
        return as_json(rooms.views.user(grant, await rooms.users.get(owner.name)))
    return as_json(rooms.views.service(grant, owner, await rooms.registry.roles_of(owner)))


@operation(
    "GET",
    "/authorizations/token/{token}",
    "Whose token it is",
    auth="token",
    answers={200: models.User | models.Service},
    errors=(404,),
    deprecated=True,
)
async def get_token_owner(call: Call) -> Response:
    """The owner of a token. Counts as a use of it."""
    bearer = await call.rooms.tokens.resolve(call.params["token"])
    if bearer is None:
        raise NotFound
    call.rooms.activity.note_bearer(bearer)
    return await _answer(call, bearer.owner)


@operation(
    "POST",
    "/authorizations/token",
    "Nothing (kept for old clients)",
    auth="none",
    answers={},
    errors=(404,),
    also=("/authorizations/token/{token}",),
    deprecated=True,
)
async def refuse_token_request(call: Call) -> Response:
    """Gave out tokens long ago; now POST /users/NAME/tokens does."""
    raise NotFound("Tokens are made by POST /users/NAME/tokens")


@operation(
    "GET",
    "/authorizations/cookie/{cookie_name}/{cookie_value}",
    "Whose login cookie it is",
    auth="token",
    answers={200: models.User},
    errors=(404, 413),
    also=("/authorizations/cookie/{cookie_name}",),
    deprecated=True,
)
async def get_cookie_owner(call: Call) -> Response:
    """The owner of a login cookie, whose signed value is in the path or the body."""
    if call.params["cookie_name"] != call.rooms.jar.login_name:
        raise NotFound
    value = call.params.get("cookie_value") or await _value_in_body(call)
    signed_in = await call.rooms.sessions.resolve_login_cookie(value)
    if signed_in is None:
        raise NotFound
    return await _answer(call, signed_in.user)


async def _value_in_body(call: Call) -> str:
    try:
        text = (await call.body(MAX_COOKIE_BYTES)).decode("ascii")
    except UnicodeDecodeError:
        raise InvalidInput("The value of a login cookie is ASCII text") from None
    return text.strip().strip('"')
