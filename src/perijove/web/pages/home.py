"""Home, tokens, administration, sharing, and the hub's front door."""

import logging
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from markupsafe import Markup
from starlette.responses import FileResponse, Response

from perijove import INTERFACE_VERSION
from perijove.access.decide import Grant
from perijove.access.describe import describe_scopes
from perijove.domain.errors import Forbidden, InvalidInput, NotFound
from perijove.domain.tokens import HUB_CLIENT, Token, TokenDetail
from perijove.domain.users import User
from perijove.kit.urls import join
from perijove.oauth import metadata
from perijove.servers.names import is_valid
from perijove.telemetry import metrics
from perijove.web.api.hub import get_metrics
from perijove.web.api.oauth import show_metadata
from perijove.web.api.servers import named_limit
from perijove.web.asgi import NO_ADDRESS, redirect
from perijove.web.call import Call
from perijove.web.pages.confirm import carry_proof
from perijove.web.pages.page import (
    PageSpawner,
    PageUser,
    open_page,
    page,
    page_user,
    render,
    require_scope,
)
from perijove.web.pages.signing import checked, next_url

log = logging.getLogger("perijove.web")

LIVES = (
    (3600, "1 hour"),
    (86400, "1 day"),
    (7 * 86400, "1 week"),
    (30 * 86400, "1 month"),
    (365 * 86400, "1 year"),
)
STATIC_AGE_S = 10 * 365 * 86400


@open_page
async def front_door(call: Call) -> Response:
    """GET /hub/: the operator's default, or one's own server, or signing in."""
    prefix = call.rooms.settings.network.hub_prefix
    configured = call.rooms.settings.pages.default_url
    if configured and not callable(configured):
        return redirect(configured)
    if call.caller.user is None:
        return redirect(f"{prefix}login?{urlencode({'next': prefix})}")
    return redirect(carry_proof(call, await next_url(call, call.caller.user)))


async def outside(call: Call) -> Response:
    """Anything outside the hub's prefix, which the proxy sends here for want of a route.

    Raises NotFound where there are no pages to send anybody to.
    """
    network = call.rooms.settings.network
    path, query = call.params["path"], call.request.url.query
    if metadata.issuer_path(path) is not None:
        return await show_metadata(call)
    if network.api_only:
        raise NotFound
    base = network.base_url
    if f"{path}/" == network.hub_prefix:
        return redirect(network.hub_prefix, 301)
    if f"{path}/" == base:
        return redirect(call.rooms.addresses.public_origin + network.hub_prefix)
    if path == f"{base}favicon.ico":
        return redirect(f"{network.hub_prefix}static/favicon.ico")
    for kind in ("user/", "services/"):
        rest = path.removeprefix(base + kind)
        if rest != path and rest and "/" not in rest:
            return redirect(f"{path}/" + (f"?{query}" if query else ""), 301)
    inside = path.removeprefix(base) if path.startswith(base) else path.lstrip("/")
    target = network.hub_prefix + inside
    if inside and query:
        target += f"?{query}"
    return redirect(call.rooms.addresses.public_origin + target)


@page
async def show_home(call: Call) -> Response:
    """GET /hub/home: one's servers."""
    user = call.caller.user
    assert user is not None
    servers_settings = call.rooms.settings.servers
    await _notice_death(call, user)
    seen = await page_user(call, user)
    assert seen is not None
    spawners = seen.all_spawners()
    default = next((s for s in spawners if not s.name), None)
    ready = default is not None and default.ready
    prefix = call.rooms.settings.network.hub_prefix
    return await render(
        call,
        "home.html",
        user=seen,
        url=seen.url if ready else f"{prefix}spawn/{seen.escaped_name}",
        allow_named_servers=servers_settings.allow_named_servers,
        named_server_limit_per_user=await named_limit(call),
        url_path_join=join,
        spawners=spawners,
        default_server=default,
        invalid_server_names=_unstartable(call, spawners),
        auth_state=None,
    )


async def _notice_death(call: Call, user: User) -> None:
    """A default server that died a moment ago is not shown as running."""
    server = await call.rooms.commands.find(user.name, "")
    holding = call.rooms.commands.holding(server.id) if server is not None else None
    if holding is not None and holding.server.ready:
        await call.rooms.runner.poll(holding)


def _unstartable(call: Call, spawners: list[PageSpawner]) -> list[str]:
    """Old names that may be stopped and deleted only."""
    if call.rooms.settings.servers.allow_existing_invalid_named_servers == "allow-start":
        return []
    return [s.name for s in spawners if s.name and not is_valid(s.name)]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as the page shows it."""

    api_id: str
    note: str
    scopes: list[str]
    created: datetime
    last_activity: datetime | None
    expires_at: datetime | None


@page
async def show_tokens(call: Call) -> Response:
    """GET /hub/token: one's tokens, and the applications that hold some."""
    user = call.caller.user
    assert user is not None
    found = await call.rooms.tokens.list_of(user)
    grants = await call.rooms.grants.of_tokens(user, [detail.token for detail in found])
    own: list[TokenRow] = []
    clients: dict[str, list[tuple[TokenDetail, TokenRow]]] = {}
    for detail, grant in zip(found, grants, strict=True):
        row = _token_row(detail.token, grant)
        if detail.token.client_id == HUB_CLIENT:
            own.append(row)
        else:
            clients.setdefault(detail.token.client_id, []).append((detail, row))
    longest_s = call.rooms.settings.security.token_max_life_s
    return await render(
        call,
        "token.html",
        api_tokens=list(reversed(own)),
        oauth_clients=[_client_row(issued) for issued in clients.values()],
        token_expires_in_options_html=_lives(longest_s),
        token_expires_in_max_seconds=longest_s,
        auth_state=None,
    )


def _token_row(token: Token, grant: Grant) -> TokenRow:
    return TokenRow(
        token.public_id,
        token.note,
        sorted(grant.scopes),
        token.created,
        token.last_activity,
        token.expires_at,
    )


def _client_row(issued: list[tuple[TokenDetail, TokenRow]]) -> dict[str, Any]:
    first, rows = issued[0][0], [row for _, row in issued]
    used = [row.last_activity for row in rows if row.last_activity is not None]
    return {
        "client": first.token.client_id,
        "description": first.client,
        "created": min(row.created for row in rows),
        "last_activity": max(used) if used else None,
        "tokens": rows,
        "token_id": rows[0].api_id,
        "token_count": len(rows),
    }


def _lives(longest_s: int) -> str:
    """The choices of how long a token lives; the longest allowed one is the default."""
    option = Markup('<option value="{}"{}>{}</option>')
    chosen = Markup(" selected")
    rows = [option.format(s, "", text) for s, text in LIVES if not longest_s or s < longest_s]
    if longest_s:
        rows.append(option.format(longest_s, chosen, f"Max ({_duration(longest_s)})"))
    else:
        rows.append(option.format("", chosen, "Never"))
    return "\n".join(rows)


def _duration(seconds: int) -> str:
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


@page
async def show_admin(call: Call) -> Response:
    """GET /hub/admin: everybody's servers."""
    require_scope(call, "admin-ui")
    settings = call.rooms.settings
    return await render(
        call,
        "admin.html",
        current_user=await page_user(call, call.caller.user),
        auth_state=None,
        admin_access=True,
        allow_named_servers=settings.servers.allow_named_servers,
        named_server_limit_per_user=await named_limit(call),
        server_version=INTERFACE_VERSION,
        api_page_limit=settings.limits.api_page_default_limit,
    )


@page
async def show_api(call: Call) -> Response:
    """GET /hub/api-docs: the REST API, to browse."""
    prefix = call.rooms.settings.network.hub_prefix
    return await render(call, "api.html", openapi_url=f"{prefix}api/openapi.json")


# -- sharing --------------------------------------------------------------


@page
async def show_share(call: Call) -> Response:
    """GET /hub/accept-share: what a code opens, and the button that takes it."""
    user = call.caller.user
    assert user is not None
    code = call.argument("code") or ""
    if not code:
        raise InvalidInput("The link has no code")
    found = await call.rooms.share_codes.look_at(code, user)
    owner = PageUser(await call.rooms.users.get(found.owner), call.rooms.addresses)
    spawner = owner.spawners[found.server_name]
    url = call.rooms.addresses.server_url(found.owner, found.server_name)
    shown = await render(
        call,
        "accept-share.html",
        code=code,
        owner=owner,
        spawner=spawner,
        spawner_ready=spawner.ready,
        spawner_url=url,
        scope_descriptions=describe_scopes(found.scopes, catalogue=call.rooms.grants.catalogue),
        next_url=checked(call, call.argument("next")) or url,
    )
    shown.headers["referrer-policy"] = NO_ADDRESS
    return shown


@page
async def accept_share(call: Call) -> Response:
    """POST /hub/accept-share: take the share."""
    user = call.caller.user
    assert user is not None
    code = (await call.form()).get("code")
    if not isinstance(code, str) or not code:
        raise InvalidInput("The form lacks the code of the share")
    try:
        share = await call.rooms.share_codes.accept(code, user)
    except (NotFound, Forbidden) as error:
        raise InvalidInput(error.message) from error
    url = call.rooms.addresses.server_url(share.owner, share.server_name)
    return redirect(checked(call, call.argument("next")) or url)


# -- files and reports ----------------------------------------------------


async def static_file(call: Call) -> Response:
    """GET /hub/static/PATH: scripts, styles and images."""
    file = call.rooms.static.locate(unquote(call.params["path"]))
    if file is None:
        raise NotFound
    versioned = "v" in call.query and call.rooms.settings.pages.cache_static
    age = f"max-age={STATIC_AGE_S}" if versioned else "no-cache"
    return FileResponse(file, headers={"cache-control": age})


async def logo(call: Call) -> Response:
    """GET /hub/logo: the operator's logo, or ours."""
    own = call.rooms.settings.pages.logo_file
    found = Path(own) if own and os.path.isfile(own) else None  # noqa: ASYNC240 - one stat
    found = found or call.rooms.static.locate("images/jupyterhub-80.png")
    if found is None:
        raise NotFound
    return FileResponse(found)


@page
async def csp_report(call: Call) -> Response:
    """POST /hub/security/csp-report: a browser met something that the policy forbids."""
    report = await call.body(65536)
    log.warning("Content security violation: %s", ascii(report.decode("utf-8", "replace")[:2000]))
    metrics.CSP_REPORTS.inc()
    return Response(status_code=200)


async def health(call: Call) -> Response:
    """GET /hub/health."""
    return Response(b"", media_type="text/html")


async def metrics_page(call: Call) -> Response:
    """GET /hub/metrics."""
    return await get_metrics(call)
