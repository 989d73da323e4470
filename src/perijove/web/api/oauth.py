"""OAuth endpoints for clients: metadata, token, introspection, revocation.

No browser comes here, so no cookie counts: a client shows its id and secret, in
the form or as Basic credentials. Where people arrive is ``web.pages.oauth``.
"""

from starlette.responses import Response

from perijove.access.catalogue import CATALOGUE
from perijove.domain.errors import InvalidInput, NotFound
from perijove.oauth import metadata
from perijove.oauth.backchannel import Answer, malformed
from perijove.web.api.operations import FORM, operation
from perijove.web.call import Call
from perijove.web.views import as_json
from perijove.wire import models, requests

MAX_FORM_BYTES = 64 * 1024
TAG = "oauth2"
PROBLEMS = {400: models.OAuthProblem, 401: models.OAuthProblem}


@operation(
    "GET",
    metadata.PATH,
    "Where the OAuth endpoints are",
    auth="none",
    answers={200: models.OAuthMetadata},
    errors=(404,),
    tag=TAG,
)
async def show_metadata(call: Call) -> Response:
    """The provider's metadata (RFC 8414).

    The issuer is what the path says: the API, the hub, or, where the hub answers for its
    whole host, that host.
    """
    network = call.rooms.settings.network
    path = metadata.issuer_path(call.raw_path)
    known = (network.base_url, network.hub_prefix, f"{network.hub_prefix}api/")
    if path is None or f"{path}/" not in known:
        raise NotFound
    origin = call.rooms.public_url(call.request)
    api_url = f"{origin}{network.hub_prefix}api"
    return as_json(metadata.describe(f"{origin}{path}", api_url, CATALOGUE.scopes))


@operation(
    "POST",
    "/oauth2/token",
    "Exchange a code for an access token",
    auth="none",
    body=requests.OAuthExchange,
    body_required=True,
    body_type=FORM,
    answers={200: models.OAuthToken, **PROBLEMS},
    tag=TAG,
)
async def issue_token(call: Call) -> Response:
    """A client exchanges its code, once (RFC 6749, section 4.1.3).

    A code that comes back later ends the token that it was exchanged for.
    """
    form = await _form(call)
    if isinstance(form, Answer):
        return _response(form)
    return _response(await call.rooms.backchannel.exchange(form, _authorization(call)))


@operation(
    "POST",
    "/oauth2/introspect",
    "What a token is",
    auth="none",
    body=requests.OAuthIntrospection,
    body_required=True,
    body_type=FORM,
    answers={200: models.OAuthTokenState, **PROBLEMS},
    tag=TAG,
)
async def introspect_token(call: Call) -> Response:
    """Whether a token lives, whose it is and what it may do (RFC 7662).

    A client learns of tokens that were issued to it, and of those that open its service or
    server; any other token is answered like one that does not exist.
    """
    form = await _form(call)
    if isinstance(form, Answer):
        return _response(form)
    return _response(await call.rooms.backchannel.introspect(form, _authorization(call)))


@operation(
    "POST",
    "/oauth2/revoke",
    "End a token",
    auth="none",
    body=requests.OAuthRevocation,
    body_required=True,
    body_type=FORM,
    answers={200: None, **PROBLEMS},
    tag=TAG,
)
async def end_oauth_token(call: Call) -> Response:
    """A client ends a token that was issued to it (RFC 7009); one that is none is no error."""
    form = await _form(call)
    if isinstance(form, Answer):
        return _response(form)
    return _response(await call.rooms.backchannel.revoke(form, _authorization(call)))


async def _form(call: Call) -> str | Answer:
    """The form of the request, or what is wrong with it."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        return malformed(f"The body must be {FORM}")
    try:
        return (await call.body(MAX_FORM_BYTES)).decode("utf-8")
    except UnicodeDecodeError:
        return malformed("The form is not UTF-8")
    except InvalidInput as error:
        return malformed(error.message)


def _authorization(call: Call) -> str:
    return call.request.headers.get("authorization", "")


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response
