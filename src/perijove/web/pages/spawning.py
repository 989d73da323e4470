"""Pages on the way to a server: options, progress, "not running", redirects."""

import asyncio
import logging
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from perijove.access.decide import Target
from perijove.domain.errors import InvalidInput, NotFound, PluginError, StartFailed
from perijove.domain.ports import SpawnerPort
from perijove.domain.servers import Server
from perijove.domain.users import UserDetail
from perijove.kit.aio import maybe_await
from perijove.kit.urls import escape_name
from perijove.servers.commands import KEEP
from perijove.web import problems
from perijove.web.api.servers import named_limit
from perijove.web.asgi import redirect
from perijove.web.call import Call
from perijove.web.freshness import identify, require_fresh
from perijove.web.pages.confirm import ask, carry_proof, may_be_forced, without_proof
from perijove.web.pages.page import PageSpawner, PageUser, look, page, render, to_login, xsrf_for
from perijove.web.pages.signing import checked, next_url
from perijove.web.views import as_json

log = logging.getLogger("perijove.web")

RESERVED = frozenset({"next", "display_name", "_xsrf"})
FIRST_LOOK_S = 1.0
"""How long a page waits for a start before it shows progress."""


async def _target(call: Call, scope: str = "servers") -> tuple[UserDetail, str, Server | None]:
    """Owner and server of the path (default: one's own), if the person may. Raises NotFound."""
    user = call.caller.user
    name = call.params.get("user") or (user.name if user is not None else "")
    server_name = call.params.get("server", "")
    await call.require((scope,), Target.of_server(name, server_name))
    detail = await call.rooms.users.get(name)
    server = next((s for s in detail.servers if s.name == server_name), None)
    if server_name and not call.rooms.settings.servers.allow_named_servers:
        raise InvalidInput("Named servers are not enabled.")
    return detail, server_name, server


def _pending_path(call: Call, user: str, server: str) -> str:
    path = f"{call.rooms.settings.network.hub_prefix}spawn-pending/{escape_name(user)}"
    return f"{path}/{escape_name(server)}" if server else path


def _pending_redirect(call: Call, user: str, server: str) -> Response:
    path = _pending_path(call, user, server)
    following = checked(call, call.argument("next"))
    return redirect(f"{path}?{urlencode({'next': following})}" if following else path)


def _server_url(call: Call, detail: UserDetail, server_name: str) -> str:
    return call.rooms.addresses.server_url(detail.user.name, server_name)


def _port(call: Call, detail: UserDetail, name: str, server: Server | None) -> SpawnerPort:
    """The spawner object that knows the options form."""
    if server is None:
        # A named server that does not exist yet has the form of the default one.
        server = next(s for s in detail.servers if not s.name)
    return call.rooms.spawners.open(server, detail.user, detail.groups)


@page
async def show_spawn(call: Call) -> Response:
    """GET /hub/spawn: start at once, or ask for options first."""
    detail, name, server = await _target(call)
    if server is not None and server.ready:
        return redirect(await next_url(call, detail.user, _server_url(call, detail, name)))
    if server is not None and server.pending:
        return _pending_redirect(call, detail.user.name, name)
    port = _port(call, detail, name, server)
    query = _query_options(call)
    foreign = may_be_forced(call)
    if query:
        try:
            options = await port.options_from_query(query)
        except PluginError as error:
            return await _form(call, detail, server, port, error)
        if foreign:
            return await ask(call, "Start the server?", "Start")
        return await _start(call, detail, name, options)
    if await port.options_form(call.request):
        return await _form(call, detail, server, port)
    if foreign:
        return await ask(call, "Start the server?", "Start")
    return await _start(call, detail, name, KEEP)


def _query_options(call: Call) -> dict[str, list[str]]:
    """Options in a link: ``opt-NAME``, or of old any name that is not reserved."""
    for name in call.query:
        call.arguments(name)
    prefixed = {k[4:]: v for k, v in call.query.items() if k.startswith("opt-")}
    if "" in prefixed:
        raise _Unprocessable("An option in the link has no name (opt-)")
    if prefixed:
        return prefixed
    return {k: v for k, v in call.query.items() if k not in RESERVED}


class _Unprocessable(InvalidInput):
    """A link whose options cannot be read."""


problems.STATUS[_Unprocessable] = 422


@page
async def submit_spawn(call: Call) -> Response:
    """POST /hub/spawn: start with the options of the form."""
    detail, name, server = await _target(call)
    if server is not None and server.active:
        what = f"pending {server.pending}" if server.pending else "already running"
        raise InvalidInput(f"{server.full_name} is {what}")
    port = _port(call, detail, name, server)
    try:
        options = await port.options_from_form(await _form_data(call))
    except PluginError as error:
        return await _form(call, detail, server, port, error)
    return await _start(call, detail, name, options, server, port)


async def _form_data(call: Call) -> dict[str, list[Any]]:
    """The form in the shape that ``options_from_form`` knows."""
    data: dict[str, list[Any]] = {}
    for key, value in (await call.form()).multi_items():
        if key == "_xsrf":
            continue
        if isinstance(value, UploadFile):
            data.setdefault(f"{key}_file", []).append(
                {
                    "filename": value.filename,
                    "body": await value.read(),
                    "content_type": value.content_type,
                }
            )
        else:
            data.setdefault(key, []).append(value)
    return data


async def _start(
    call: Call,
    detail: UserDetail,
    name: str,
    options: Any,
    server: Server | None = None,
    port: SpawnerPort | None = None,
) -> Response:
    await require_fresh(call, detail.user, "spawn")
    rooms = call.rooms
    try:
        started = await rooms.commands.request_start(
            detail.user,
            name,
            options=options,
            display_name=call.argument("display_name") or KEEP,
            named_limit=await named_limit(call),
            request=call.request,
        )
        started = await rooms.commands.wait_started(started, FIRST_LOOK_S)
    except StartFailed as error:
        if port is not None:
            return await _form(call, detail, server, port, error)
        raise
    if started.ready:
        return redirect(await next_url(call, detail.user, _server_url(call, detail, name)))
    return _pending_redirect(call, detail.user.name, name)


async def _form(
    call: Call,
    detail: UserDetail,
    server: Server | None,
    port: SpawnerPort,
    error: PluginError | StartFailed | None = None,
) -> Response:
    user = PageUser(detail, call.rooms.addresses)
    token, _ = xsrf_for(call)
    query = {"_xsrf": token}
    following = checked(call, call.argument("next"))
    if following:
        query["next"] = following
    status = 200
    if error is not None:
        status = problems.status_of(error)
        # A plug-in's plain exception is how it refuses options.
        status = 400 if status == 500 and isinstance(error, PluginError) else status
    return await render(
        call,
        "spawn.html",
        status,
        for_user=user,
        spawner=PageSpawner(server, user) if server is not None else None,
        spawner_options_form=await port.options_form(call.request),
        url=f"{call.raw_path}?{urlencode(query)}",
        error_message=_shown(error),
        error_html_message=getattr(error, "shown_html", ""),
        html_error_message=getattr(error, "shown_html", ""),
        auth_state=None,
    )


def _shown(error: Exception | None) -> str:
    if isinstance(error, PluginError):
        return error.shown or error.detail
    return str(error) if error is not None else ""


@page
async def show_pending(call: Call) -> Response:
    """GET /hub/spawn-pending: how a start goes on."""
    detail, name, server = await _target(call)
    if server is None:
        raise NotFound(f"{detail.user.name} has no server named {name!r}")
    if server.ready:
        holding = call.rooms.commands.holding(server.id)
        if holding is None or await call.rooms.runner.poll(holding):
            return redirect(await next_url(call, detail.user, _server_url(call, detail, name)))
        server = holding.server
    user = PageUser(detail, call.rooms.addresses)
    spawner = PageSpawner(server, user)
    if server.pending:
        token, _ = xsrf_for(call)
        template = "stop_pending.html" if server.pending == "stop" else "spawn_pending.html"
        progress = f"{call.rooms.views.progress_path(server)}?{urlencode({'_xsrf': token})}"
        return await render(call, template, spawner=spawner, progress_url=progress, auth_state=None)
    return await _not_running(call, detail, server, failed=server.failure is not None)


async def _not_running(
    call: Call, detail: UserDetail, server: Server | None, *, failed: bool, status: int = 200
) -> Response:
    prefix = call.rooms.settings.network.hub_prefix
    name = server.name if server is not None else call.params.get("server", "")
    path = f"{prefix}spawn/{escape_name(detail.user.name)}"
    if name:
        path += f"/{escape_name(name)}"
    following = checked(call, call.argument("next")) or _missed_url(call)
    if following:
        path += f"?{urlencode({'next': following})}"
    failure = server.failure if server is not None else None
    if failed and failure is not None:
        status = failure.status
    return await render(
        call,
        "not_running.html",
        status,
        server_name=name,
        spawn_url=path,
        implicit_spawn_seconds=call.rooms.settings.servers.implicit_spawn_s,
        failed=failed,
        failed_message=failure.message if failure and failed else "",
        failed_html_message=failure.html_message if failure and failed else "",
        exception=None,
        auth_state=None,
    )


def _missed_url(call: Call) -> str:
    """The URL at the server that somebody wanted when it did not run."""
    prefix = call.rooms.settings.network.hub_prefix
    raw: bytes = call.request.scope.get("raw_path") or b""
    path = raw.partition(b"?")[0].decode("latin-1")
    if not path.startswith(f"{prefix}user/"):
        return ""
    target = call.rooms.settings.network.base_url + path[len(prefix) :]
    query = call.request.url.query
    return f"{target}?{query}" if query else target


# -- requests to servers that do not run ----------------------------------


async def stopped_server(call: Call) -> Response:
    """``/hub/user/NAME/...``: where the proxy sends requests of servers that do not run."""
    method = call.request.method
    rest = call.params.get("rest", "").split("/")
    user, server_name = call.params["user"], await _server_in(call, rest)
    if method not in ("GET", "HEAD"):
        return _gone(call, user, server_name)
    if _wants_json(call, rest):
        server = await call.rooms.commands.find(user, server_name)
        if server is None or not server.ready:
            return _gone(call, user, server_name)
    if _has_token(call):
        await identify(call, cookies=False)
    else:
        await look(call)
    if not call.caller.known:
        return to_login(call)
    await _require_access(call, user, server_name)
    detail = await call.rooms.users.get(user)
    server = next((s for s in detail.servers if s.name == server_name), None)
    if server is not None and server.ready:
        return await _back_to_server(call, server)
    if server is not None and (server.pending or server.failure is not None):
        response = redirect(_pending_path(call, user, server_name), 303)
        following = _missed_url(call)
        if following:
            response.headers["location"] += f"?{urlencode({'next': following})}"
        return response
    status = call.rooms.settings.servers.stopped_server_status
    return await _not_running(call, detail, server, failed=False, status=status)


async def _server_in(call: Call, rest: list[str]) -> str:
    """The named server that a path begins with, if the user has one of that name."""
    if not call.rooms.settings.servers.allow_named_servers or not rest or not rest[0]:
        return ""
    server = await call.rooms.commands.find(call.params["user"], rest[0])
    return server.name if server is not None else ""


async def _require_access(call: Call, user: str, server_name: str) -> None:
    await call.require(("access:servers",), Target.of_server(user, server_name))


def _has_token(call: Call) -> bool:
    return "authorization" in call.request.headers


def _wants_json(call: Call, rest: list[str]) -> bool:
    """Whether a program asks: a path with ``api``, or JSON preferred to HTML."""
    if "api" in rest:
        return True
    best = ("", -1.0)
    for part in call.request.headers.get("accept", "").split(","):
        kind, _, parameters = part.strip().partition(";")
        quality = 1.0
        for parameter in parameters.split(";"):
            key, _, value = parameter.strip().partition("=")
            if key == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if kind in ("application/json", "text/html") and quality > best[1]:
            best = (kind, quality)
    return best[0] == "application/json"


def _gone(call: Call, user: str, server_name: str) -> Response:
    network = call.rooms.settings.network
    path = f"{network.hub_prefix}spawn/{escape_name(user)}"
    if server_name:
        path += f"/{escape_name(server_name)}"
    url = call.rooms.public_url(call.request) + path
    where = _missed_url(call).partition("?")[0]
    message = f"JupyterHub server no longer running at {where}. Restart the server at {url}"
    return as_json({"message": message}, call.rooms.settings.servers.stopped_server_status)


async def _back_to_server(call: Call, server: Server) -> Response:
    """The server runs by now (or its route is only just being made): try again there."""
    try:
        count = int(call.argument("redirects") or 0)
    except ValueError:
        count = 0
    if count >= call.rooms.settings.limits.user_redirect_limit:
        raise StartFailed(
            f"Redirect loop detected: {server.full_name} runs, but requests do not reach it"
        )
    if count:
        await asyncio.sleep(min(2**count, 10))
    target = _missed_url(call).partition("?")[0]
    query = {k: v[-1] for k, v in call.query.items()}
    query["redirects"] = str(count + 1)
    origin = call.rooms.addresses.origin_of(call.rooms.addresses.user_host(server.user_name))
    return redirect(f"{origin}{target}?{urlencode(query, errors='surrogateescape')}")


@page
async def user_redirect(call: Call) -> Response:
    """``/hub/user-redirect/PATH``: the same path on one's own server, started if need be."""
    user = call.caller.user
    assert user is not None
    settings = call.rooms.settings
    network = settings.network
    path = call.params["path"]
    query = without_proof(call.request.url.query)
    hook = settings.servers.user_redirect_hook
    if hook is not None:
        asked = Request({**call.request.scope, "query_string": query.encode("latin-1")})
        handler = call.rooms.handler_for(asked)
        request = getattr(handler, "request", asked)
        plugin_user = getattr(handler, "current_user", None)
        answer = await maybe_await(hook(path, request, plugin_user, network.base_url))
        if answer:
            return redirect(str(answer))
    name = settings.servers.default_server_name if settings.servers.allow_named_servers else ""
    target = call.rooms.addresses.server_path(user.name, name) + path
    if query:
        target += f"?{query}"
    spawn = f"{network.hub_prefix}spawn/{escape_name(user.name)}"
    if name:
        spawn += f"/{escape_name(name)}"
    return redirect(carry_proof(call, f"{spawn}?next={quote(target, safe='')}"))
