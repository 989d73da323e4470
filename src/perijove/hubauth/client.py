"""Requests to the hub, and how to read its answers, without doing the sending.

Each call is a pair of pure functions: one builds a ``HubRequest``, one reads
the ``HubReply``. Whoever has an HTTP client sends: tornado's in the tornado
face, ``fetch_blocking`` (standard library) where there is no event loop.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from ssl import SSLContext
from typing import Any
from urllib.parse import urlencode

CONNECT_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class HubRequest:
    """One HTTP request to the hub."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HubReply:
    """What came back: any status, headers with lower-case names, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


Fetch = Callable[[HubRequest], Awaitable[HubReply]]
"""Sends a request. Raises HubUnreachable when no HTTP answer comes."""


class HubError(Exception):
    """The hub did not give a usable answer.

    ``visitor_status`` is the status that a visitor who waits for it should get.
    """

    visitor_status = 500


class HubUnreachable(HubError):
    """No HTTP answer from the hub: it is down, restarting, or elsewhere."""


class HubFailed(HubError):
    """The hub itself failed (5xx)."""

    visitor_status = 502


class HubRefused(HubError):
    """The hub refused a request of ours (4xx)."""


def whoami_request(api_url: str, token: str) -> HubRequest:
    """``GET /user`` on behalf of the holder of ``token``."""
    return HubRequest("GET", f"{api_url}/user", {"Authorization": f"token {token}"})


def read_whoami(reply: HubReply) -> dict[str, Any] | None:
    """The user model, or None when the hub does not know the token.

    Raises HubFailed or HubRefused.
    """
    if reply.status == 403:
        return None
    model = _json_object(_checked(reply))
    if not isinstance(model.get("name"), str) or not model["name"]:
        raise HubFailed("The hub answered the question who somebody is without a name.")
    return model


def token_request(
    token_url: str,
    *,
    client_id: str,
    client_secret: str,
    code: str,
    redirect_uri: str,
    code_verifier: str | None,
) -> HubRequest:
    """``POST oauth2/token``: a code for an access token (RFC 6749 section 4.1.3)."""
    form = {
        "client_id": client_id,
        "client_secret": client_secret,
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
    }
    if code_verifier:
        form["code_verifier"] = code_verifier
    headers = {
        "Authorization": f"token {client_secret}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return HubRequest("POST", token_url, headers, urlencode(form).encode("ascii"))


def read_token(reply: HubReply) -> str:
    """The access token. Raises HubFailed or HubRefused."""
    token = _json_object(_checked(reply)).get("access_token")
    if not isinstance(token, str) or not token:
        raise HubFailed("The hub answered the exchange of a code without an access token.")
    return token


def activity_request(url: str, token: str, server_name: str, moment: str) -> HubRequest:
    """``POST`` the moment of the last activity, in the wire's time format."""
    body = {"servers": {server_name: {"last_activity": moment}}, "last_activity": moment}
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    return HubRequest("POST", url, headers, json.dumps(body).encode("utf-8"))


def read_activity(reply: HubReply) -> None:
    """Accept any success. Raises HubFailed or HubRefused."""
    _checked(reply)


def _checked(reply: HubReply) -> HubReply:
    if reply.status >= 500:
        raise HubFailed(f"The hub failed with status {reply.status}.")
    if reply.status >= 400:
        raise HubRefused(_refusal(reply))
    return reply


def _refusal(reply: HubReply) -> str:
    """Why the hub refused, in its own words where it gave any."""
    if reply.status == 403:
        return (
            "The hub refuses this server's own token; it may have been revoked."
            " Stop the server and start it again."
        )
    try:
        model = json.loads(reply.body)
    except ValueError:
        model = None
    if isinstance(model, dict):
        for key in ("error_description", "error", "message"):
            if isinstance(model.get(key), str) and model[key]:
                return str(model[key])
    return f"The hub refused with status {reply.status}."


def _json_object(reply: HubReply) -> dict[str, Any]:
    try:
        model = json.loads(reply.body)
    except ValueError:
        model = None
    if not isinstance(model, dict):
        raise HubFailed(
            f"The hub answered with status {reply.status}, but not with a JSON object;"
            " is JUPYTERHUB_API_URL the address of a hub?"
        )
    return model


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another place; the reply is returned as it is."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def fetch_blocking(
    request: HubRequest,
    ssl_context: SSLContext | None = None,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> HubReply:
    """Send a request and wait, for code without an event loop.

    Proxy variables of the environment are ignored, since the hub is an inner
    address. Raises HubUnreachable.
    """
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl_context),
        _NoRedirect(),
    )
    wire = urllib.request.Request(
        request.url, data=request.body, headers=dict(request.headers), method=request.method
    )
    try:
        try:
            with opener.open(wire, timeout=timeout_s) as answer:
                return HubReply(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as answer:
            with answer:
                return HubReply(answer.code, _lower(answer.headers), answer.read())
    except (OSError, HTTPException, ValueError) as error:
        raise HubUnreachable(unreachable_sentence(request.url, error)) from error


def unreachable_sentence(url: str, error: object) -> str:
    """What to tell somebody when the hub gave no answer."""
    return f"The hub does not answer at {url} ({error})."


def _lower(headers: Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}
