"""The Jupyter Server extension and the server that it runs in."""

import asyncio
import logging
import signal
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import Bool, Integer, Unicode, default
from traitlets.config import Config

from perijove._version import INTERFACE_VERSION, __version__
from perijove.hubauth import client
from perijove.hubauth.hub_oauth import HubOAuth
from perijove.kit.aio import Tasks
from perijove.kit.ids import new_secret
from perijove.singleuser import pages, patches
from perijove.singleuser.activity import ActivityReporter, report_forever
from perijove.singleuser.environment import ServerEnvironment, is_below_home
from perijove.singleuser.greeting import Remark
from perijove.singleuser.identity import HubIdentityProvider
from perijove.singleuser.start_page import choose_start_page

log = logging.getLogger("perijove.singleuser")


class SingleUserServer(ServerApp):
    """Jupyter Server as a hub runs it: nobody sits at its terminal."""

    classes = [*ServerApp.classes, HubOAuth, HubIdentityProvider]
    exit_code = 0
    hide_user_config = False
    no_browser_open_file = Bool(True, help="Nobody opens a browser on this machine.")

    @property
    def config_file_paths(self) -> list[str]:
        """Where configuration is looked for; without the home under disable_user_config."""
        paths: list[str] = list(super().config_file_paths)
        if not self.hide_user_config:
            return paths
        return [path for path in paths if not is_below_home(path)]

    def init_signal(self) -> None:
        """Stop at SIGINT as at SIGTERM: there is nobody to confirm."""
        super().init_signal()
        signal.signal(signal.SIGINT, self._signal_stop)

    def fail(self, sentence: str) -> None:
        """Say why and end the process with status 1."""
        self.log.critical(sentence)
        self.exit_code = 1
        self.stop()


class JupyterHubSingleUser(ExtensionApp):
    """Ties a Jupyter Server to the hub that started it."""

    name = "jupyterhub-singleuser"
    version = __version__
    description = "A Jupyter server for one user, started by a hub and reached through it."
    examples = "Started by a hub, with its orders in JUPYTERHUB_* environment variables."
    serverapp_class = SingleUserServer
    classes = [SingleUserServer, HubOAuth]

    environment: ServerEnvironment
    greeting: "Future[Remark] | None" = None

    hub_activity_url = Unicode(help="Where activity is reported; empty: nowhere.").tag(config=True)
    hub_activity_interval = Integer(
        help="Seconds between reports of activity to the hub; 0: none."
    ).tag(config=True)

    @default("hub_activity_url")
    def _default_hub_activity_url(self) -> str:
        return self.environment.activity_url

    @default("hub_activity_interval")
    def _default_hub_activity_interval(self) -> int:
        return self.environment.activity_interval_s

    @classmethod
    def get_extension_package(cls) -> str:
        """The module that Jupyter Server asks for ``_jupyter_server_extension_points``."""
        return __name__

    @classmethod
    def make_serverapp(cls, **kwargs: Any) -> SingleUserServer:
        """The server, told where not to look for configuration before it looks.

        Its cookie secret is new at each start, so that old cookies die, and
        known so early that Jupyter Server does not write one to a file.
        """
        server = super().make_serverapp(**kwargs)
        server.cookie_secret = new_secret().encode("ascii")
        assert isinstance(server, SingleUserServer)
        server.hide_user_config = cls.environment.disable_user_config
        return server

    # -- configuration: what the hub orders wins over files ----------------------

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Called when configuration is read and nothing is built yet."""
        super()._link_jupyter_server_extension(serverapp)
        patches.apply()
        self._orders = self._translate_orders(serverapp)
        serverapp.update_config(Config(self._orders))

    def _jupyter_server_config(self) -> dict[str, Any]:
        """The orders again, since other extensions may have changed options meanwhile."""
        return self._orders

    def _translate_orders(self, serverapp: ServerApp) -> dict[str, Any]:
        """Options of Jupyter Server that follow from the hub's orders."""
        env = self.environment
        given = serverapp.config.get("ServerApp", {})
        on_command_line = serverapp.cli_config.get("ServerApp", {})
        orders: dict[str, Any] = {
            "base_url": env.auth.base_url,
            "ip": env.ip,
            "port": env.port,
            "port_retries": 0,
            "identity_provider_class": HubIdentityProvider,
            "cookie_secret": serverapp.cookie_secret,
            "allow_remote_access": True,
            "trust_xheaders": True,
            "open_browser": False,
            "quit_button": False,
            "default_url": choose_start_page(
                given.get("default_url", ""),
                env.default_url,
                env.frontend,
                serverapp.extension_manager.extension_points,
            ),
            "tornado_settings": self._web_settings(dict(given.get("tornado_settings", {}))),
        }
        if env.auth.certfile:
            orders |= {"certfile": env.auth.certfile, "keyfile": env.auth.keyfile}
            orders["client_ca"] = env.auth.client_ca
        if env.root_dir:
            orders["root_dir"] = env.root_dir
            preferred = Path(given.get("preferred_dir", env.root_dir))
            if not preferred.is_relative_to(env.root_dir):
                preferred = Path(env.root_dir)
            # Said aloud, since its default may have been read when the root was another.
            orders["preferred_dir"] = str(preferred)
        if env.debug:
            orders["log_level"] = logging.DEBUG
        if ServerApp.class_traits().get("extra_log_scrub_param_keys") is not None:
            orders["extra_log_scrub_param_keys"] = [
                *given.get("extra_log_scrub_param_keys", []),
                "next",
            ]
        for name in ("ip", "port", "root_dir", "preferred_dir", "log_level"):
            if name in on_command_line:
                orders.pop(name, None)
        return {"ServerApp": orders}

    def _web_settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """Settings of the web application; an operator's own headers are kept."""
        auth = self.environment.auth
        headers = {
            "X-JupyterHub-Version": INTERFACE_VERSION,
            "Content-Security-Policy": (
                "frame-ancestors 'none';"
                f" report-uri {auth.hub_host}{auth.hub_prefix}security/csp-report"
            ),
            # A page of another person's server may open Lab in a window; it gets no hold of it.
            "Cross-Origin-Opener-Policy": "noopener-allow-popups",
        }
        return given | {
            "headers": headers | given.get("headers", {}),
            # Lab and other extensions recognise a hub by these.
            "hub_host": auth.hub_host,
            "hub_prefix": auth.hub_prefix,
            "user": self.environment.user,
        }

    # -- building and running ------------------------------------------------------

    def initialize_settings(self) -> None:
        """Tell pages about the hub."""
        assert self.serverapp is not None
        auth = provider_of(self.serverapp).hub_auth
        self.settings["page_config_hook"] = pages.page_config_hook(
            self.environment,
            lambda handler: auth.get_token(handler) or "",
            sockets_need_token=not auth.allow_websocket_cookie_auth,
        )

    async def _start_jupyter_server_extension(self, serverapp: SingleUserServer) -> None:
        """Begin background work, once all extensions are loaded and the loop runs."""
        for key in ("jinja2_env", "nbclassic_jinja2_env"):
            if (jinja_env := serverapp.web_app.settings.get(key)) is not None:
                pages.add_hub_link(jinja_env, self.environment.control_panel_url)
        self._tasks = Tasks("singleuser")
        self._tasks.spawn(self._meet_hub(serverapp), "meet-hub")

    async def _meet_hub(self, serverapp: SingleUserServer) -> None:
        """Wait for the hub's greeting, then report activity for ever."""
        if self.greeting is not None:
            try:
                remark = await asyncio.wrap_future(self.greeting)
            except Exception as error:
                serverapp.fail(f"{error} A server is of no use without its hub, so it ends.")
                return
            log.log(remark.level, remark.text)
        if not self.hub_activity_url or self.hub_activity_interval <= 0:
            return
        auth = provider_of(serverapp).hub_auth

        async def send(moment: str) -> None:
            request = client.activity_request(
                self.hub_activity_url, auth.api_token, self.environment.server_name, moment
            )
            client.read_activity(await auth.fetch(request))

        await report_forever(
            ActivityReporter(
                serverapp.web_app.last_activity, send, float(self.hub_activity_interval)
            )
        )

    async def stop_extension(self) -> None:
        """End background work."""
        if (tasks := getattr(self, "_tasks", None)) is not None:
            await tasks.close()
            assert self.serverapp is not None
            await provider_of(self.serverapp).hub_auth.sockets.stop()

    @classmethod
    def initialize_server(
        cls, argv: list[str] | None = None, load_other_extensions: bool = True, **kwargs: Any
    ) -> SingleUserServer:
        """Build the server. Exits rather than serving without the hub's identity."""
        build: Any = super().initialize_server
        server: SingleUserServer = build(
            argv=argv, load_other_extensions=load_other_extensions, **kwargs
        )
        _log_as(server)
        if not isinstance(server.identity_provider, HubIdentityProvider):
            server.log.critical("The hub extension did not load; see the warnings above.")
            sys.exit(1)
        return server


def provider_of(serverapp: ServerApp) -> HubIdentityProvider:
    """The server's identity provider, which is always the hub's here."""
    provider = serverapp.identity_provider
    assert isinstance(provider, HubIdentityProvider)
    return provider


def _log_as(server: SingleUserServer) -> None:
    """Let our loggers write where and as Jupyter Server does."""
    for name in ("perijove.singleuser", "perijove.hubauth", "perijove.aio"):
        ours = logging.getLogger(name)
        ours.parent, ours.propagate = server.log, True
        ours.setLevel(server.log.level)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter Server loads from this module."""
    return [{"module": __name__, "app": JupyterHubSingleUser}]


def launch(argv: list[str]) -> None:
    """Build and run the server, or print help or the version."""
    start: Any = JupyterHubSingleUser.launch_instance
    start(argv)


def run(env: ServerEnvironment, greeting: "Future[Remark]", argv: list[str]) -> int:
    """Run the server until it is stopped; returns the exit status."""
    JupyterHubSingleUser.environment = env
    JupyterHubSingleUser.greeting = greeting
    JupyterHubSingleUser.load_other_extensions = env.load_other_extensions
    launch(argv)
    return SingleUserServer.instance().exit_code if SingleUserServer.initialized() else 0
