"""What handlers of plug-ins read of the hub: plain attributes out of the settings.

The names and the keys of ``handler.settings`` behind them are the interface.
Suites of plug-ins put handlers into a tornado application of their own with a
few of these keys only, so each attribute asks for its own key and nothing else.
"""

import logging
from collections.abc import Callable
from typing import Any

from tornado.log import app_log
from tornado.web import RequestHandler

from perijove._version import INTERFACE_VERSION
from perijove.kit.urls import join
from perijove.plugins.local import LocalProcessSpawner


class NoStatsd:
    """The metrics client of long ago: plug-ins still count with it, nobody listens."""

    def __getattr__(self, name: str) -> "Callable[..., NoStatsd]":
        return self._ignore

    def _ignore(self, *args: Any, **kwargs: Any) -> "NoStatsd":
        """Count nothing; a timer is started and stopped in one line."""
        return self

    def timer(self, *args: Any, **kwargs: Any) -> "NoTimer":
        """What measures a time, by ``start`` and ``stop`` or around a block."""
        return NoTimer()


class NoTimer:
    """A timer of ``NoStatsd``."""

    ms = 0.0

    def start(self) -> "NoTimer":
        """Itself, as the real one gives."""
        return self

    def stop(self, send: bool = True) -> "NoTimer":
        """Itself, as the real one gives."""
        return self

    def send(self) -> None:
        """Send nothing."""

    def __enter__(self) -> "NoTimer":
        return self

    def __exit__(self, *error: object) -> None:
        """Let errors through."""


class HubFacts(RequestHandler):
    """The part of ``BaseHandler`` that only reads settings."""

    @property
    def log(self) -> logging.Logger:
        """The hub's log."""
        found: logging.Logger = self.settings.get("log", app_log)
        return found

    @property
    def statsd(self) -> Any:
        """A metrics client that counts nothing."""
        return self.settings.get("statsd") or NoStatsd()

    @property
    def app(self) -> Any:
        """The hub's application object, with its options."""
        return self.settings["app"]

    @property
    def config(self) -> Any:
        """The hub's configuration."""
        return self.settings.get("config")

    @property
    def base_url(self) -> str:
        """The base URL of the installation."""
        return str(self.settings.get("base_url", "/"))

    @property
    def default_url(self) -> Any:
        """Where people go after signing in, as configured: a URL, a callable or empty."""
        return self.settings.get("default_url", "")

    @property
    def version_hash(self) -> str:
        """Changes when static files may have."""
        return str(self.settings.get("version_hash", ""))

    @property
    def subdomain_host(self) -> str:
        """``scheme://host[:port]`` below which users have their hosts; empty without."""
        return str(self.settings.get("subdomain_host", ""))

    @property
    def domain(self) -> str:
        """The domain below which users have their hosts; empty without subdomains."""
        return str(self.settings["domain"])

    @property
    def public_url(self) -> Any:
        """The hub's public URL, taken apart; None when it is not configured."""
        return self.settings["public_url"]

    @property
    def hub(self) -> Any:
        """The hub's addresses."""
        return self.settings["hub"]

    @property
    def db(self) -> Any:
        """The database session that plug-ins share."""
        return self.settings["db"]

    @property
    def users(self) -> Any:
        """The hub's users by name or id."""
        return self.settings.setdefault("users", {})

    @property
    def services(self) -> Any:
        """The hub's services by name."""
        return self.settings.setdefault("services", {})

    @property
    def authenticator(self) -> Any:
        """The hub's authenticator."""
        return self.settings.get("authenticator")

    @property
    def proxy(self) -> Any:
        """The hub's proxy."""
        return self.settings["proxy"]

    @property
    def eventlog(self) -> Any:
        """The audit log: ``emit(schema_id=..., data=...)``."""
        return self.settings["eventlog"]

    @property
    def spawner_class(self) -> Any:
        """The class of the servers' spawners."""
        return self.settings.get("spawner_class", LocalProcessSpawner)

    @property
    def admin_users(self) -> set[str]:
        """Names of people who are to be administrators."""
        found: set[str] = self.settings.setdefault("admin_users", set())
        return found

    @property
    def cookie_max_age_days(self) -> float | None:
        """How long a sign-in lasts (days)."""
        return self.settings.get("cookie_max_age_days")

    @property
    def allow_named_servers(self) -> bool:
        """Whether users may have named servers."""
        return bool(self.settings.get("allow_named_servers", False))

    @property
    def named_server_limit_per_user(self) -> Any:
        """How many named servers a user may have, 0 for any number, or a callable."""
        return self.settings.get("named_server_limit_per_user", 0)

    @property
    def concurrent_spawn_limit(self) -> int:
        """How many servers may start at once; 0: any number."""
        return int(self.settings.get("concurrent_spawn_limit", 0))

    @property
    def active_server_limit(self) -> int:
        """How many servers may be active at once; 0: any number."""
        return int(self.settings.get("active_server_limit", 0))

    @property
    def slow_spawn_timeout(self) -> float:
        """Seconds that a request waits for a start."""
        return float(self.settings.get("slow_spawn_timeout", 10))

    @property
    def slow_stop_timeout(self) -> float:
        """Seconds that a request waits for a stop."""
        return float(self.settings.get("slow_stop_timeout", 10))

    @property
    def redirect_to_server(self) -> bool:
        """Whether people go to their server after signing in."""
        return bool(self.settings.get("redirect_to_server", True))

    @property
    def authenticate_prometheus(self) -> bool:
        """Whether reading metrics needs a scope."""
        return bool(self.settings.get("authenticate_prometheus", True))

    # -- headers -------------------------------------------------------------------------
    @property
    def csp_report_uri(self) -> str:
        """Where browsers report what the content security policy refused."""
        return str(
            self.settings.get("csp_report_uri", join(self.hub.base_url, "security/csp-report"))
        )

    @property
    def content_security_policy(self) -> str:
        """What pages may do, unless the operator's ``headers`` say otherwise."""
        return f"frame-ancestors 'none'; report-uri {self.csp_report_uri}"

    def get_content_type(self) -> str:
        """The type of every answer, unless the handler sets another."""
        return "text/html"

    def set_default_headers(self) -> None:
        """The headers of every page of the hub."""
        own = {str(k).lower(): v for k, v in self.settings.get("headers", {}).items()}
        usual = {
            "x-jupyterhub-version": INTERFACE_VERSION,
            "access-control-allow-headers": "accept, content-type, authorization",
        }
        for name, value in {**usual, **own}.items():
            self.set_header(name, value)
        if "content-security-policy" not in own:
            self.set_header("Content-Security-Policy", self.content_security_policy)
        self.set_header("Content-Type", self.get_content_type())

    @property
    def template_namespace(self) -> dict[str, Any]:
        """The variables of pages that are rendered without asking anybody."""
        found: dict[str, Any] = self.settings.get("template_vars", {})
        return dict(found)
