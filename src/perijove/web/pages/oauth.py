"""The OAuth endpoints in HTTP: arrival, consent, code, token.

Who arrives must be signed in by cookie. The access check runs at arrival and
again when the answer is posted (``oauth.provider``).
"""

from urllib.parse import urlencode

from starlette.responses import Response

from perijove.domain.errors import InvalidInput
from perijove.oauth.consent import Consent
from perijove.oauth.provider import Redirect
from perijove.people.sessions import SignedIn
from perijove.web.api.operations import FORM, PAGE, Parameter, operation
from perijove.web.asgi import redirect
from perijove.web.call import Call
from perijove.web.pages.page import check_form, look, render, to_login
from perijove.web.views import as_json
from perijove.wire import models, requests

MAX_TOKEN_FORM_BYTES = 64 * 1024


AUTHORIZE = "/oauth2/authorize"
ARRIVAL = (
    Parameter("client_id", "string", "the client that asks", required=True),
    Parameter("redirect_uri", "string", "where to go back to; must be the registered one"),
    Parameter("response_type", "string", "code"),
    Parameter("state", "string", "comes back unchanged"),
    Parameter("scope", "string", "scopes, separated by spaces; missing: all that are allowed"),
    Parameter("code_challenge", "string", "RFC 7636"),
    Parameter("code_challenge_method", "string", "S256 or plain"),
)


@operation(
    "GET",
    AUTHORIZE,
    "Ask a person to let an OAuth client in",
    auth="page",
    query=ARRIVAL,
    answers={200: PAGE, 302: None},
    errors=(403,),
    explained=True,
    tag="oauth2",
)
async def show_authorize(call: Call) -> Response:
    """GET /hub/api/oauth2/authorize: let the person through, or ask first."""
    await look(call)
    visitor = call.caller.signed_in
    if visitor is None:
        return _sign_in_first(call)
    query = call.request.url.query
    provider = call.rooms.provider
    answer = await provider.authorize_request(query, visitor)
    if isinstance(answer, Consent):
        if answer.needs_confirmation:
            return await _ask(call, answer)
        answer = await provider.create_code(query, visitor)
    return _back(call, answer, visitor)


def _sign_in_first(call: Call) -> Response:
    """To the sign-in page, or straight to the authenticator's own place."""
    rules = call.rooms.authenticator.rules
    network = call.rooms.settings.network
    if rules.auto_login_oauth2_authorize and not rules.auto_login and not network.api_only:
        url = call.rooms.authenticator.login_url(network.hub_prefix)
        following = f"{call.request.url.path}?{call.request.url.query}"
        return redirect(f"{url}{'&' if '?' in url else '?'}{urlencode({'next': following})}")
    return to_login(call)


async def _ask(call: Call, consent: Consent) -> Response:
    return await render(
        call,
        "oauth.html",
        oauth_client=consent.client,
        allowed_scopes=list(consent.scopes),
        scope_descriptions=[
            {"scope": text.scope, "description": text.description, "filter": text.filter}
            for text in consent.texts
        ],
        auth_state=None,
    )


def _back(call: Call, answer: Redirect, visitor: SignedIn) -> Response:
    response = redirect(answer.location)
    # The server tells sign-ins apart by this cookie; it must know the one that the code is for.
    if visitor.session_id and call.rooms.session_cookie(call.request) != visitor.session_id:
        call.rooms.jar.set_session(response, call.request, visitor.session_id)
    return response


@operation(
    "POST",
    AUTHORIZE,
    "Let an OAuth client in",
    auth="page",
    query=ARRIVAL,
    body=requests.OAuthConsent,
    body_type=FORM,
    answers={302: None},
    errors=(403,),
    explained=True,
    tag="oauth2",
)
async def submit_authorize(call: Call) -> Response:
    """POST /hub/api/oauth2/authorize: the person agreed to these scopes."""
    await look(call)
    visitor = call.caller.signed_in
    if visitor is None:
        return to_login(call)
    await check_form(call)
    scopes = [value for value in (await call.form()).getlist("scopes") if isinstance(value, str)]
    answer = await call.rooms.provider.create_code(call.request.url.query, visitor, scopes)
    return _back(call, answer, visitor)


@operation(
    "POST",
    "/oauth2/token",
    "Exchange a code for an access token",
    auth="none",
    body=requests.OAuthExchange,
    body_required=True,
    body_type=FORM,
    answers={200: models.OAuthToken, 400: models.OAuthProblem, 401: models.OAuthProblem},
    tag="oauth2",
)
async def issue_token(call: Call) -> Response:
    """POST /hub/api/oauth2/token: a client exchanges its code."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return _invalid("The body must be application/x-www-form-urlencoded")
    try:
        body = (await call.body(MAX_TOKEN_FORM_BYTES)).decode("utf-8")
    except UnicodeDecodeError:
        return _invalid("The form is not UTF-8")
    except InvalidInput as error:
        return _invalid(error.message)
    headers = {"Authorization": call.request.headers.get("authorization", "")}
    answer = await call.rooms.provider.exchange(body, headers)
    response = Response(answer.body, answer.status)
    for name, value in answer.headers.items():
        response.headers[name] = value
    return response


def _invalid(why: str) -> Response:
    """The answer to a request that is none (RFC 6749, section 5.2)."""
    headers = {"cache-control": "no-store", "pragma": "no-cache"}
    return as_json({"error": "invalid_request", "error_description": why}, 400, headers)
