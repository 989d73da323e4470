"""Signing in and out."""

import logging
import time
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import UploadFile
from starlette.responses import Response

from perijove.domain.errors import Forbidden, InvalidInput, PluginError, Refusal
from perijove.domain.ports import AuthModel
from perijove.domain.users import User
from perijove.kit.aio import maybe_await
from perijove.people.sessions import SignedIn
from perijove.telemetry import metrics
from perijove.web.asgi import PLUGIN_REDIRECT, redirect
from perijove.web.call import Call
from perijove.web.caller import Caller
from perijove.web.next_url import checked_next
from perijove.web.pages.confirm import (
    ask_to_sign_out,
    carry_proof,
    may_be_signed_out_by_force,
)
from perijove.web.pages.page import check_form, look, open_page, page_user, refuse_scripts, render
from perijove.web.xsrf import is_navigation

log = logging.getLogger("perijove.login")

WRONG = "Invalid username or password"
EXPIRED = "Login form invalid or expired. Try again."
LOGGED_NAME_LENGTH = 32


@open_page
async def show_login(call: Call) -> Response:
    """GET /hub/login: the form; who is signed in already goes on."""
    rooms = call.rooms
    prefix = rooms.settings.network.hub_prefix
    if call.caller.user is not None and call.caller.signed_in is not None:
        response = redirect(await next_url(call, call.caller.user))
        return with_cookies(call, response, call.caller.signed_in, call.caller.user)
    if rooms.authenticator.rules.auto_login:
        url = rooms.authenticator.login_url(prefix)
        if url.rstrip("/") == f"{prefix}login":
            return await _sign_in_unasked(call)
        return redirect(with_next(call, url))
    return await _form(call)


async def _sign_in_unasked(call: Call) -> Response:
    """The authenticator knows people by the request itself (REMOTE_USER and the like)."""
    model = await call.rooms.authenticator.authenticate(call.request, None)
    if model is None and PLUGIN_REDIRECT in call.request.scope:
        return redirect(*call.request.scope[PLUGIN_REDIRECT])
    if model is None:
        raise Forbidden("You could not be signed in")
    return await _welcome(call, model)


async def submit_login(call: Call) -> Response:
    """POST /hub/login: name and password, or whatever the authenticator's form holds."""
    await look(call)
    form = await call.form()
    name = str(form.get("username") or "").strip()
    try:
        await check_form(call)
    except Forbidden:
        return await _form(call, name, EXPIRED, 403)
    data: dict[str, Any] = {
        key: value for key, value in form.items() if not isinstance(value, UploadFile)
    }
    data.pop("_xsrf", None)
    if "username" in data:
        data["username"] = name
    began = time.perf_counter()
    try:
        model = await call.rooms.authenticator.authenticate(call.request, data)
        if model is not None:
            response = await _welcome(call, model)
            took_s = time.perf_counter() - began
            metrics.LOGIN_DURATION.labels(metrics.LOGIN_SUCCESS).observe(took_s)
            return response
    except Refusal as error:
        if not is_navigation(call.request):
            raise
        return await _form(call, name, error.shown or WRONG, error.status)
    except InvalidInput as error:
        return await _form(call, name, error.message, 400)
    if PLUGIN_REDIRECT in call.request.scope:
        return redirect(*call.request.scope[PLUGIN_REDIRECT])
    took_s = time.perf_counter() - began
    metrics.LOGIN_DURATION.labels(metrics.LOGIN_FAILURE).observe(took_s)
    shown = name if len(name) <= LOGGED_NAME_LENGTH else f"{name[:16]}..."
    log.warning("Failed login for %r", shown)
    return await _form(call, name, WRONG, 403)


async def _welcome(call: Call, model: AuthModel) -> Response:
    signed_in = await open_sign_in(call, model)
    response = redirect(carry_proof(call, await next_url(call, signed_in.user)))
    return with_cookies(call, response, signed_in, signed_in.user)


async def open_sign_in(call: Call, model: AuthModel) -> SignedIn:
    """Store what the authenticator said and begin a sign-in; an earlier one ends."""
    rooms = call.rooms
    before = call.caller.signed_in
    signed_in = await rooms.sign_in.sign_in(model)
    if before is not None and not before.imported:
        await rooms.sessions.close(before)
    rooms.refresher.note_sign_in(signed_in.user)
    log.info("User logged in: %s", signed_in.user.name)
    call.caller = Caller(
        await rooms.grants.grant_of(signed_in.user), user=signed_in.user, signed_in=signed_in
    )
    if before is None:
        call.fresh_xsrf = _new_xsrf(call, signed_in, signed_in.user)
    return signed_in


def _new_xsrf(call: Call, signed_in: SignedIn, user: User) -> str:
    xsrf = call.rooms.xsrf
    return xsrf.new_value(xsrf.identity(call.request, signed_in.session_id, user.cookie_id))


def with_cookies(call: Call, response: Response, signed_in: SignedIn, user: User) -> Response:
    """Set the cookies of a sign-in: login, session, and an XSRF token of its own."""
    rooms, request = call.rooms, call.request
    rooms.jar.set_login(response, request, rooms.sessions.cookie_value(signed_in))
    if signed_in.session_id is not None:
        rooms.jar.set_session(response, request, signed_in.session_id)
    begun_here = call.fresh_xsrf and call.caller.signed_in is signed_in
    value = call.fresh_xsrf if begun_here else _new_xsrf(call, signed_in, user)
    rooms.xsrf.set(response, request, value, anonymous=False)
    return response


async def _form(call: Call, name: str = "", error: str = "", status: int = 200) -> Response:
    rooms = call.rooms
    prefix = rooms.settings.network.hub_prefix
    rules = rooms.authenticator.rules
    following = checked(call, call.argument("next")) or ""
    values: dict[str, Any] = {
        "next": quote(following, safe=""),
        "username": name,
        "login_error": error,
        "login_term_url": rooms.settings.pages.template_vars.get("login_term_url", ""),
        "authenticator": rules,
        "authenticator_login_url": with_next(call, rooms.authenticator.login_url(prefix)),
        "login_service": rules.login_service,
    }
    source = rooms.authenticator.custom_html(prefix)
    if source:
        template = rooms.templates.from_string(source)
        values["custom_html"] = await template.render_async(
            **values, base_url=prefix, login_url=values["authenticator_login_url"]
        )
    return await render(call, "login.html", status, fresh_xsrf=True, **values)


def with_next(call: Call, url: str) -> str:
    """The URL with the request's (checked) ``next``."""
    following = checked(call, call.argument("next"))
    if not following:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'next': following})}"


def checked(call: Call, value: str | None) -> str | None:
    """A ``next`` that stays within the hub, or None."""
    network = call.rooms.settings.network
    hosts = {call.request.headers.get("host", "").lower()}
    if call.rooms.addresses.public_origin:
        hosts.add(call.rooms.addresses.public_origin.partition("://")[2].lower())
    if network.domain:
        hosts |= {network.domain, f".{network.domain}"}
    found = checked_next(value, own_hosts=frozenset(hosts - {""}), base_url=network.base_url)
    if value and found is None:
        log.warning("Ignoring next URL %s", ascii(value[:200]))
    return found


async def next_url(call: Call, user: User, default: str | None = None) -> str:
    """Where a person goes now: ``next``, the operator's default, the server, or home."""
    following = checked(call, call.argument("next"))
    if following:
        return following
    rooms = call.rooms
    target = default
    if not target:
        configured = rooms.settings.pages.default_url
        if callable(configured):
            configured = await maybe_await(configured(rooms.handler_for(call.request)))
        target = str(configured) if configured else None
    if not target:
        target = await _usual_target(call, user)
    extra = {
        name: values[-1] for name, values in call.query.items() if name not in ("next", "_xsrf")
    }
    if extra:
        target += f"{'&' if '?' in target else '?'}{urlencode(extra, errors='surrogateescape')}"
    return target


async def _usual_target(call: Call, user: User) -> str:
    prefix = call.rooms.settings.network.hub_prefix
    if not call.rooms.settings.servers.redirect_to_server:
        return f"{prefix}home"
    seen = await page_user(call, user)
    if seen is not None and seen.spawner is not None and seen.spawner.ready:
        return seen.url
    return f"{prefix}spawn"


async def sign_out(call: Call) -> Response:
    """GET /hub/logout: end this sign-in and everything that was issued to it."""
    await look(call)
    rooms = call.rooms
    caller = call.caller
    if not caller.known:
        refuse_scripts(call)
    elif may_be_signed_out_by_force(call):
        return await ask_to_sign_out(call)
    began = time.perf_counter()
    if caller.user is not None and caller.signed_in is not None:
        if rooms.settings.servers.shutdown_on_logout:
            await _stop_servers(call, caller.user)
        await rooms.sessions.close(caller.signed_in)
        log.info("User logged out: %s", caller.user.name)
        call.caller = Caller()
    prefix = rooms.settings.network.hub_prefix
    if rooms.authenticator.rules.auto_login:
        response = await render(call, "logout.html")
    else:
        response = redirect(f"{prefix}login")
    rooms.jar.clear_all(response)
    metrics.LOGOUT_DURATION.observe(time.perf_counter() - began)
    return response


async def _stop_servers(call: Call, user: User) -> None:
    detail = await call.rooms.users.get(user.name)
    for server in detail.servers:
        if server.active and server.pending is None:
            try:
                await call.rooms.commands.request_stop(server)
            except PluginError as error:
                log.error("%s", error)
