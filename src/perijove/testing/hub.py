"""``MockHub``: a whole hub inside the test's process, with its proxy and a database of its own."""

import logging
import os
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from traitlets import Bool, default

from perijove.app import HubProcess
from perijove.compat.app import JupyterHub
from perijove.compat.orm.factory import new_session_factory
from perijove.compat.orm.people import User as StoredUser
from perijove.compat.roles import assign_default_roles
from perijove.config.load import LoadedConfig
from perijove.config.settings import build_settings
from perijove.plugins.net import random_port
from perijove.testing import calls
from perijove.testing.authenticators import MockPAMAuthenticator
from perijove.testing.spawners import MockSpawner

BASE_URL = "/@/space%20word/"
"""The usual prefix of hubs in tests: it finds code that joins or quotes URLs wrongly."""

SECRET_BYTES = 32


class MockHub(JupyterHub):
    """A hub for tests. ``await initialize()``, ``await start()``, and ``await stop()`` at the end.

    It listens on free ports below ``BASE_URL``, lets in whoever has their name as
    password, and starts servers that only echo; all of it can be configured. Users
    ``admin`` and ``user`` exist. JUPYTERHUB_TEST_DB_URL and
    JUPYTERHUB_TEST_SUBDOMAIN_HOST set the database and a host for subdomains.
    """

    test_clean_db = Bool(True, help="Empty a database that was used before.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._process: HubProcess | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._session: Any = None
        self._choose_addresses()
        sections = self.config
        if "allow_all" not in sections.Authenticator:
            sections.Authenticator.allow_all = True
        if "api_url" not in sections.ConfigurableHTTPProxy:
            sections.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{random_port()}"
        if "keys" not in sections.CryptKeeper:
            sections.CryptKeeper.keys = [os.urandom(SECRET_BYTES)]

    def _choose_addresses(self) -> None:
        given = self.__dict__.get("_given_parts", {})
        port = urlsplit(self.subdomain_host).port or random_port()
        parts = {"ip": "127.0.0.1", "port": port, "base_url": BASE_URL}
        for name, value in parts.items():
            if name not in given and "bind_url" not in given:
                setattr(self, name, value)

    # -- defaults ------------------------------------------------------------------------
    @default("db_url")
    def _default_db_url(self) -> str:
        return os.environ.get("JUPYTERHUB_TEST_DB_URL", "") or "sqlite:///:memory:"

    @default("subdomain_host")
    def _default_subdomain_host(self) -> str:
        return os.environ.get("JUPYTERHUB_TEST_SUBDOMAIN_HOST", "")

    @default("hub_port")
    def _default_hub_port(self) -> int:
        return random_port()

    @default("cookie_secret")
    def _default_cookie_secret(self) -> bytes:
        return os.urandom(SECRET_BYTES)

    @default("authenticator_class")
    def _default_authenticator_class(self) -> type:
        return MockPAMAuthenticator

    @default("spawner_class")
    def _default_spawner_class(self) -> type:
        return MockSpawner

    @default("log_level")
    def _default_log_level(self) -> int:
        return logging.DEBUG

    # -- the database ----------------------------------------------------------------------
    def init_db(self) -> None:
        """Open the database, empty, without a hub: afterwards ``db`` is a session."""
        self._session = new_session_factory(self.db_url, reset=self.test_clean_db)()

    @property
    def db(self) -> Any:
        """The database session that plug-ins share."""
        return self._session if self._session is not None else super().db

    # -- life ------------------------------------------------------------------------------
    async def initialize(self, argv: Any = None) -> None:  # type: ignore[override]
        """Build the hub and fill its database; nothing listens yet."""
        self._folder = TemporaryDirectory(prefix="perijove-test-")
        proxy = self.config.ConfigurableHTTPProxy
        proxy.setdefault("pid_file", os.path.join(self._folder.name, "proxy.pid"))
        self.reset_db = self.test_clean_db
        self._process = HubProcess(LoadedConfig(self, ""), build_settings(self))
        await self._process.build().prepare()
        if StoredUser.find(self.db, "user") is None:
            self.db.add(StoredUser(name="user"))
            self.db.commit()
        assign_default_roles(self.db, StoredUser.find(self.db, "user"))

    async def start(self) -> None:  # type: ignore[override]
        """Start the proxy and the hub; returns when both answer. Raises what hinders them."""
        await self._running_process.start()

    async def stop(self) -> None:
        """Stop the hub, its servers and its proxy. Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        await process.stop()
        if self._folder is not None:
            self._folder.cleanup()

    cleanup = shutdown_cancel_tasks = stop

    @property
    def running(self) -> bool:
        """Whether it is initialized and not stopped."""
        return self._process is not None

    @property
    def _running_process(self) -> HubProcess:
        if self._process is None:
            raise RuntimeError("initialize() comes first")
        return self._process

    @property
    def http_server(self) -> "_HttpServer | None":
        """What listens; None when nothing does."""
        return _HttpServer(self._process) if self._process is not None else None

    # -- people ----------------------------------------------------------------------------
    async def login_user(self, name: str) -> Any:
        """Sign in with the form; the cookies."""
        return await calls.sign_in(self, name)


class _HttpServer:
    """The hub's listener as tests stop it: the rest follows with ``shutdown_cancel_tasks``."""

    def __init__(self, process: HubProcess) -> None:
        self._process = process

    def stop(self) -> None:
        """Begin to end."""
        self._process.end()
