"""The authorization endpoint in HTTP: arrival, consent, code.

Who arrives must be signed in by cookie. The access check runs at arrival and
again when the answer is posted (``oauth.provider``).
"""

from urllib.parse import urlencode

from starlette.responses import Response

from perijove.oauth.consent import Consent
from perijove.oauth.provider import Redirect, denied
from perijove.people.sessions import SignedIn
from perijove.web.api.operations import FORM, PAGE, Parameter, operation
from perijove.web.asgi import NO_ADDRESS, redirect
from perijove.web.call import Call
from perijove.web.pages.page import check_form, look, render, to_login
from perijove.wire import requests

AUTHORIZE = "/oauth2/authorize"
ARRIVAL = (
    Parameter("client_id", "string", "the client that asks", required=True),
    Parameter("redirect_uri", "string", "where to go back to; must be the registered one"),
    Parameter("response_type", "string", "code"),
    Parameter("state", "string", "comes back unchanged"),
    Parameter("scope", "string", "scopes, separated by spaces; missing: all that are allowed"),
    Parameter("code_challenge", "string", "RFC 7636"),
    Parameter("code_challenge_method", "string", "S256, or plain (the default of RFC 7636)"),
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
        following = f"{call.raw_path}?{call.request.url.query}"
        return redirect(f"{url}{'&' if '?' in url else '?'}{urlencode({'next': following})}")
    return to_login(call)


async def _ask(call: Call, consent: Consent) -> Response:
    page = await render(
        call,
        "oauth.html",
        oauth_client=consent.client,
        deny_url=denied(call.request.url.query, consent).location,
        allowed_scopes=list(consent.scopes),
        scope_descriptions=[
            {"scope": text.scope, "description": text.description, "filter": text.filter}
            for text in consent.texts
        ],
        auth_state=None,
    )
    page.headers["cache-control"] = "no-store"
    page.headers["referrer-policy"] = NO_ADDRESS
    return page


def _back(call: Call, answer: Redirect, visitor: SignedIn) -> Response:
    response = redirect(answer.location)
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = NO_ADDRESS
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
