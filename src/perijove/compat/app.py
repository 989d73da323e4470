"""The hub's application object, as plug-ins import it from ``jupyterhub.app``.

It is the object that holds the options, and once the rooms are built it also shows
what runs: ``JupyterHub.instance().users``, ``handler.app.proxy`` and the like.
"""

from typing import TYPE_CHECKING, Any

from perijove.compat.certificates import open_certificates, show_certificates
from perijove.config import hub as options
from perijove.config.internal_tls import build_internal_tls
from perijove.config.network import build_network

if TYPE_CHECKING:
    from perijove.compat.services import HandlerServices


class JupyterHub(options.JupyterHub):
    """The options of the hub, and what plug-ins see of the running one."""

    _running: "HandlerServices | None" = None

    def attach(self, services: "HandlerServices") -> None:
        """From now on there is a hub to show."""
        self._running = services
        # The very dict of ``handler.settings``: plug-ins change it here and read it there.
        self.tornado_settings = services.context.settings

    def init_internal_ssl(self) -> None:
        """Make the certificates of ``internal_ssl`` and show them; suites of plug-ins do, without
        a hub. Raises ConfigError.
        """
        certificates = open_certificates(build_internal_tls(self, build_network(self)))
        if certificates is not None:
            show_certificates(self, certificates)

    @property
    def _shown(self) -> "HandlerServices":
        if self._running is None:
            raise RuntimeError("this hub does not run yet")
        return self._running

    @property
    def users(self) -> Any:
        """The hub's users by name or id."""
        return self._shown.people

    @property
    def db(self) -> Any:
        """The database session that plug-ins share."""
        return self._shown.context.db

    def session_factory(self) -> Any:
        """A database session of one's own, to be closed by the caller."""
        return self._shown.context.db.another()

    @property
    def hub(self) -> Any:
        """The hub's addresses."""
        return self._shown.context.hub

    @property
    def proxy(self) -> Any:
        """The hub's proxy."""
        return self._shown.proxy.proxy

    @property
    def authenticator(self) -> Any:
        """The hub's authenticator."""
        return self._shown.authenticator.authenticator

    @property
    def tornado_application(self) -> Any:
        """The application that serves plug-ins' handlers."""
        return self._shown.application
