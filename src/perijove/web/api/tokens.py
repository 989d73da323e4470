"""API tokens of users."""

from typing import Any

from starlette.responses import Response

from perijove.access.decide import Target
from perijove.domain.errors import Forbidden, NotAuthenticated, NotFound, PerijoveError
from perijove.domain.tokens import Bearer, TokenDetail
from perijove.domain.users import User
from perijove.people.tokens import TokenRequest
from perijove.people.users import guard
from perijove.web.api.operations import operation, read_body
from perijove.web.call import Call
from perijove.web.freshness import identify
from perijove.web.views import as_json, empty
from perijove.wire import models, requests

TOKENS = "/users/{name}/tokens"
TOKEN = "/users/{name}/tokens/{token_id}"


async def _owner(call: Call, method: str, path: str) -> User:
    """The user of the path, if the caller may do this. Raises NotFound."""
    name = call.params["name"]
    await call.require_for(f"{method} {path}", Target.of_user(name))
    user = await call.rooms.users.find(name)
    if user is None:
        raise NotFound(f"No such user: {name}")
    return user


async def _view(call: Call, user: User, detail: TokenDetail) -> dict[str, Any]:
    grant = await call.rooms.grants.grant_of(Bearer(detail.token, user))
    return call.rooms.views.token(detail, user, sorted(grant.scopes))


@operation("GET", TOKENS, "List a user's tokens", answers={200: models.TokenList})
async def list_tokens(call: Call) -> Response:
    """All tokens of a user, those of OAuth clients included."""
    user = await _owner(call, "GET", TOKENS)
    found = await call.rooms.tokens.list_of(user)
    grants = await call.rooms.grants.of_tokens(user, [detail.token for detail in found])
    views = [
        call.rooms.views.token(detail, user, sorted(grant.scopes))
        for detail, grant in zip(found, grants, strict=True)
    ]
    return as_json({"api_tokens": views})


@operation(
    "POST",
    TOKENS,
    "Create a token",
    auth="optional",
    body=requests.TokenRequest,
    answers={201: models.NewToken},
    errors=(403,),
)
async def create_token(call: Call) -> Response:
    """A new token; its secret is in the answer, and nowhere else ever again."""
    await identify(call)
    body = await read_body(call, requests.TokenRequest, "token") or requests.TokenRequest()
    name = call.params["name"]
    if not call.caller.known:
        user = await _signed_in(call, body)
        if user.name != call.rooms.authenticator.normalize(name):
            raise Forbidden("The credentials are not those of this user")
        made_by = ""
    else:
        await call.require_for(f"POST {TOKENS}", Target.of_user(name))
        found = await call.rooms.users.find(name)
        if found is None:
            raise Forbidden(f"No such user: {name}")
        user = found
        guard(call.caller.admin, user.admin)
        own = call.caller.user is not None and call.caller.user.id == user.id
        made_by = "" if own else f" by {call.caller.kind} {call.caller.name}"
    own_token = call.caller.user is not None and call.caller.user.id == user.id
    made = await call.rooms.tokens.request(
        user,
        TokenRequest(
            note=body.note if body.note is not None else f"Requested via api{made_by}",
            scopes=tuple(body.scopes) if body.scopes is not None else None,
            roles=tuple(body.roles) if body.roles is not None else None,
            expires_in_s=body.expires_in,
        ),
        within=call.caller.grant.scopes if own_token and call.caller.token else None,
    )
    model = await _view(call, user, made.detail)
    return as_json({**model, "token": made.secret}, 201)


async def _signed_in(call: Call, body: requests.TokenRequest) -> User:
    """Who signs in with the login data in the body. Any failure reads the same."""
    if body.auth is None:
        raise NotAuthenticated
    rooms = call.rooms
    try:
        model = await rooms.authenticator.authenticate(call.request, body.auth)
        if model is not None:
            return await rooms.sign_in.authenticated(model)
    except PerijoveError as error:
        raise Forbidden("Sign-in failed") from error
    raise Forbidden("Sign-in failed")


@operation("GET", TOKEN, "One token", answers={200: models.Token})
async def get_token(call: Call) -> Response:
    """A token, without its secret."""
    user = await _owner(call, "GET", TOKEN)
    return as_json(await _view(call, user, await _token(call, user)))


async def _token(call: Call, user: User) -> TokenDetail:
    return await call.rooms.tokens.get(user, call.params["token_id"])


@operation("DELETE", TOKEN, "Revoke a token", answers={204: None})
async def revoke_token(call: Call) -> Response:
    """End a token; one of an OAuth client takes that client's others along."""
    user = await _owner(call, "DELETE", TOKEN)
    await call.rooms.tokens.revoke(user, call.params["token_id"])
    return empty(204)
