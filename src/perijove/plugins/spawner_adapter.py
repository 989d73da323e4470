"""Spawner objects behind ``domain.ports.SpawnerPort``.

It calls the hooks in the order that plug-ins rely on, checks what comes back,
and blames the plug-in for what goes wrong. ``spawner_pool`` makes and keeps them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from perijove.domain.errors import PluginError, Refusal
from perijove.domain.ports import FormData, Launch
from perijove.kit.aio import maybe_await
from perijove.kit.jsons import packed, unpacked
from perijove.kit.urls import bracket_ipv6, server_path
from perijove.plugins.context import HubContext, PluginServer, PluginSpawnerRow, PluginUser
from perijove.plugins.failures import (
    answers_request,
    as_option_refusal,
    ask,
    ask_or_log,
    blaming,
)
from perijove.plugins.net import WILDCARDS, connectable
from perijove.plugins.spawner import Spawner
from perijove.plugins.traits import Later, Lazy

log = logging.getLogger("perijove.plugins")


class SpawnerAdapter:
    """One server's spawner object as the hub's rooms use it."""

    def __init__(
        self, spawner: Spawner, row: PluginSpawnerRow, context: HubContext, owner: PluginUser
    ) -> None:
        self.spawner = spawner
        self.class_name = type(spawner).__name__
        self._row = row
        self._context = context
        self._owner = owner
        self._own_change = False
        self._telling = False
        self._was_ready = False
        self._stopping = False
        self._died = False
        spawner._tell_death = lambda: context.server_ended(row.id)

    # -- settings --------------------------------------------------------------
    @property
    def start_timeout_s(self) -> float:
        """Seconds that ``start`` may take."""
        return float(self.spawner.start_timeout)

    @property
    def http_timeout_s(self) -> float:
        """Seconds that the started server has to answer HTTP."""
        return float(self.spawner.http_timeout)

    @property
    def poll_interval_s(self) -> float:
        """Seconds between polls; 0 when the plug-in has stopped polling."""
        return float(self.spawner.poll_interval) if self.spawner._polling else 0.0

    @property
    def poll_jitter(self) -> float:
        """Fraction (0 to 1) by which the poll interval varies."""
        return float(self.spawner.poll_jitter)

    @property
    def failure_limit(self) -> int:
        """The hub ends after so many failed starts in a row; 0: never."""
        return int(self.spawner.consecutive_failure_limit)

    @property
    def will_resume(self) -> bool:
        """Whether token and OAuth client outlive a stop."""
        return bool(self.spawner.will_resume)

    @property
    def api_token(self) -> str:
        """The token the server runs with."""
        return str(self.spawner.api_token)

    @property
    def local_host(self) -> str | None:
        """The machine whose processes it signals, or None."""
        host = self.spawner._local_host
        return str(host) if host else None

    # -- start -------------------------------------------------------------------
    async def token_scopes(self) -> list[str]:
        """Scopes wanted for the server's API token."""
        with self._blaming("server_token_scopes"):
            return await self.spawner._scopes_from("server_token_scopes")

    async def oauth_scopes(self) -> list[str]:
        """Scopes that OAuth tokens of this server may carry besides access to it."""
        spawner = self.spawner
        with self._blaming("oauth_client_allowed_scopes"):
            scopes = await spawner._scopes_from("oauth_client_allowed_scopes")
            roles = await spawner._scopes_from("oauth_roles")
        if roles:
            log.warning("%s.oauth_roles is old; use oauth_client_allowed_scopes", self.class_name)
            scopes = scopes + [s for s in await self._context.role_scopes(roles) if s not in scopes]
        spawner._resolved_oauth_scopes = scopes
        return scopes

    async def prepare(self, launch: Launch) -> None:
        """Everything before the start. Raises PluginError or Refusal."""
        spawner = self.spawner
        self._owner.update(launch.user, launch.groups)
        self._row.started = launch.server.started
        if launch.server.oauth_client_id:
            spawner.oauth_client_id = launch.server.oauth_client_id
        self._show_request(launch.request)
        if launch.options is not None:
            self._row.user_options = unpacked(launch.options)
        spawner.user_options = dict(self._row.user_options or {})
        spawner._spawn_future = asyncio.get_running_loop().create_future()
        try:
            with self._blaming("clear_state"):
                spawner.clear_state()
            spawner.api_token = launch.api_token
            await self._run_hooks()
        except Exception as error:
            self._note_failure(error)
            self._show_request(None)
            raise

    def _show_request(self, request: object | None) -> None:
        """Give the plug-in a handler for the request behind a start, made if it looks."""
        kind, make = type(self.spawner), self._context.handler_for
        if request is not None and isinstance(getattr(kind, "handler", None), Lazy):
            self.spawner.handler = Later(lambda: make(request))
        else:
            self.spawner.handler = make(request)

    async def _run_hooks(self) -> None:
        spawner, owner = self.spawner, self._owner
        if spawner.authenticator is not None:
            await ask(spawner.authenticator, "pre_spawn_start", owner, spawner)
        auth_state = await owner.get_auth_state()
        await self._ask("run_auth_state_hook", auth_state)
        await self._ask("apply_group_overrides")
        await self._apply_options()
        await self._ask("run_pre_spawn_hook")
        if spawner.internal_ssl:
            paths = await self._ask("create_certs")
            spawner.cert_paths = await self._ask("move_certs", paths)

    async def _apply_options(self) -> None:
        try:
            with self._blaming("apply_user_options", as_option_refusal):
                await self.spawner._run_apply_user_options(self.spawner.user_options)
        except Refusal as error:
            if error.status == 400 and not answers_request(error.__cause__):
                error.shown = f"Invalid user options: {error.shown}"
            raise

    async def start(self) -> str:
        """Start; the server's URL. Raises PluginError or Refusal."""
        try:
            answer = await self._ask("start")
            with self._blaming("start"):
                return self._url_of(answer)
        except Exception as error:
            self._note_failure(error)
            raise
        finally:
            self._show_request(None)  # it holds the whole request

    def _url_of(self, answer: Any) -> str:
        scheme = "https" if self.spawner.internal_ssl else "http"
        if isinstance(answer, str):
            parts = urlsplit(answer)
            if not parts.scheme or not parts.netloc:
                raise ValueError(f"start() gave {answer!r}, which is no URL")
            return f"{parts.scheme}://{parts.netloc}"
        if not answer:
            server = self.spawner.server
            if server is None or not server.port:
                raise ValueError("start() gave no address; it must return (ip, port) or a URL")
            log.warning("%s.start() should return its address", self.class_name)
            return server.near_host
        ip, port = answer
        ip = connectable(str(ip or "")) if (ip or "") in WILDCARDS else str(ip).strip("[]")
        return f"{scheme}://{bracket_ipv6(ip)}:{int(port)}"

    def _note_failure(self, error: Exception) -> None:
        future = self.spawner._spawn_future
        if future is not None and not future.done():
            cause = error.__cause__
            future.set_exception(cause if isinstance(cause, Exception) else error)
            future.exception()  # read once, so that nobody is told it was never read

    # -- watching ------------------------------------------------------------------
    async def address(self) -> str:
        """The URL of a server found running; empty when the plug-in knows none."""
        answer = await self._ask("get_url")
        if not answer:
            return ""
        parts = urlsplit(str(answer))
        return f"{parts.scheme}://{parts.netloc}"

    async def find_lost(self) -> bool:
        """Look for what an interrupted start left running."""
        return bool(await self._ask("_find_lost"))

    async def poll(self) -> int | None:
        """None while it runs or starts; else its exit status (0: unknown)."""
        status = await self._ask("poll")
        self._died = status is not None and not self._stopping
        if status is None or isinstance(status, int):
            return status
        # Some tell in words how a container ended.
        log.info("%s.poll of %s: %s", self.class_name, self.spawner._log_name, status)
        return 0

    async def stop(self, *, now: bool = False) -> None:
        """Stop and return when it is gone."""
        self._stopping = True
        await self._ask("stop", now=now)

    async def cleanup(self) -> None:
        """The hooks after a stop and ``clear_state``; errors are logged."""
        spawner = self.spawner
        if spawner._spawn_future is not None and not spawner._spawn_future.done():
            spawner._spawn_future.cancel()
        spawner.stop_polling()
        if self._died:
            await spawner._run_poll_callbacks()
        await ask_or_log(spawner, "post_stop_hook", spawner.run_post_stop_hook)
        await ask_or_log(spawner, "clear_state", spawner.clear_state)
        authenticator = spawner.authenticator
        if authenticator is not None:
            await ask_or_log(
                authenticator,
                "post_spawn_stop",
                lambda: authenticator.post_spawn_stop(self._owner, spawner),
            )
        self.set_address(None)

    # -- state -------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """What is needed to find the server again. Raises PluginError."""
        with self._blaming("get_state"):
            state: dict[str, Any] = packed(self.spawner.get_state() or {})
        self._row.state = unpacked(state)
        return state

    def set_address(self, url: str | None) -> None:
        """Tell the plug-in where its server listens; None: it does not."""
        self._own_change = True
        try:
            if url is None:
                self.spawner.server = None
                return
            server = self.spawner.server or self._new_server()
            server.move_to(url)
            self.spawner.server = server
        finally:
            self._own_change = False

    def expect_address(self) -> None:
        """Give the plug-in a server with its path, before it has an address."""
        self.spawner.server = self._new_server()

    def _new_server(self) -> PluginServer:
        path = server_path(self._context.address.base_url, self._owner.name, self._row.name)
        server = PluginServer(
            base_url=path, cookie_name=client_id_of(self._owner.name, self._row.name)
        )
        server.observe(self._server_changed, names=["ip", "port"])
        return server

    def _server_changed(self, change: Any) -> None:
        if self._own_change or self._telling or change["owner"] is not self.spawner.server:
            return
        self._telling = True  # plug-ins change ip and port one after the other
        asyncio.get_running_loop().call_soon(self._tell_address)

    def _tell_address(self) -> None:
        self._telling = False
        server = self.spawner.server
        if server is not None and self._was_ready:
            self._context.server_moved(self._row.id, server.near_host)

    def set_progressing(self, pending: str | None, ready: bool) -> None:
        """Keep the plug-in's ``pending`` and ``ready`` attributes true."""
        spawner = self.spawner
        spawner._spawn_pending = pending == "spawn"
        spawner._stop_pending = pending == "stop"
        spawner._check_pending = pending == "check"
        spawner._rename_pending = pending == "rename"
        spawner._proxy_pending = False
        spawner._is_ready = ready
        if ready and not self._was_ready:
            future = spawner._spawn_future
            if future is not None and not future.done():
                future.set_result(None)
            spawner.start_polling()
        self._was_ready = ready

    # -- progress ----------------------------------------------------------------
    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The plug-in's own progress events of the running start."""
        with self._blaming("progress"):
            async for event in self.spawner._generate_progress():
                if isinstance(event, Mapping):
                    yield _event({key: event[key] for key in event if key != "ready"})
                else:
                    log.warning("%s.progress gave %r, not a dict", self.class_name, event)

    async def ready_event(self, event: dict[str, Any]) -> dict[str, Any]:
        """The last event, as the operator's hook wants it; the hook's errors are logged."""
        hook = self.spawner.progress_ready_hook
        if hook is None:
            return event
        try:
            changed = await maybe_await(hook(self.spawner, dict(event)))
        except Exception:
            log.exception("%s.progress_ready_hook failed", self.class_name)
            return event
        return _event(changed) if isinstance(changed, Mapping) else event

    # -- options -----------------------------------------------------------------
    async def options_form(self, request: object | None = None) -> str:
        """HTML of the options form; runs auth_state_hook first."""
        if request is not None:
            self.spawner.handler = self._context.handler_for(request)
        if not self.spawner.options_form and not self._has_own_form():
            return ""
        auth_state = await self._owner.get_auth_state()
        await self._ask("run_auth_state_hook", auth_state)
        return str(await self._ask("get_options_form") or "")

    def _has_own_form(self) -> bool:
        return type(self.spawner).get_options_form is not Spawner.get_options_form

    async def options_from_form(self, form: FormData) -> dict[str, Any]:
        """Options from the submitted form. Raises Refusal."""
        return await self._options("run_options_from_form", "options_from_form", form)

    async def options_from_query(self, query: FormData) -> dict[str, Any]:
        """Options from a link's query. Raises Refusal."""
        return await self._options("options_from_query", "options_from_query", query)

    async def _options(self, method: str, call: str, data: FormData) -> dict[str, Any]:
        given = {key: list(values) for key, values in data.items()}
        with self._blaming(call, as_option_refusal):
            options = await maybe_await(getattr(self.spawner, method)(given))
        if options is None:  # it has put them into the spawner itself
            options = {}
        if not isinstance(options, Mapping):
            raise PluginError(self.class_name, call, f"it gave {type(options).__name__}, no dict")
        with self._blaming(call):
            kept: dict[str, Any] = packed(dict(options))
        return kept

    # -- names and ends ------------------------------------------------------------
    async def rename(self, old: str, new: str) -> None:
        """The (stopped) server gets another name. Raises PluginError to refuse."""
        await self._ask("rename", old, new)

    async def delete_forever(self) -> None:
        """The server's row is going for good; errors are logged."""
        await ask_or_log(self.spawner, "delete_forever", self.spawner.delete_forever)

    async def _ask(self, call: str, *args: Any, **kwargs: Any) -> Any:
        return await ask(self.spawner, call, *args, **kwargs)

    def _blaming(self, call: str, *convert: Any) -> Any:
        return blaming(self.class_name, call, *convert)


def _event(event: Mapping[Any, Any]) -> dict[str, Any]:
    """An event of a plug-in as it can be stored and sent: JSON, its message a text."""
    event = dict(event)
    if "message" in event:
        event["message"] = str(event["message"])
    made: dict[str, Any] = packed(event)
    return made


def client_id_of(user: str, server: str) -> str:
    """The OAuth client identifier of a server, which is also its cookie's name."""
    parts = [quote(part, safe="") for part in (user, server) if part]
    return "-".join(["jupyterhub-user", *parts])
