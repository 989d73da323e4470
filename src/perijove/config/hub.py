"""``class JupyterHub``: the section name that configuration files use.

Only options and the command line; running a hub is ``perijove.app``'s business,
which may subclass this. The name, the options and their types are the interface
that existing configuration files and plug-ins rely on.
"""

import logging
from typing import Any, NoReturn

from traitlets import Bunch, observe
from traitlets.config import Application
from traitlets.config.loader import KVArgParseConfigLoader

from perijove._version import INTERFACE_VERSION, __version__
from perijove.config.options.activity import ActivityOptions
from perijove.config.options.api import ApiOptions
from perijove.config.options.database import DatabaseOptions
from perijove.config.options.deprecated import DeprecatedOptions
from perijove.config.options.internal_ssl import InternalSSLOptions
from perijove.config.options.logs import LogOptions
from perijove.config.options.network import NetworkOptions
from perijove.config.options.pages import PageOptions
from perijove.config.options.plugins import PluginOptions
from perijove.config.options.processes import ProcessOptions
from perijove.config.options.security import SecurityOptions
from perijove.config.options.servers import ServerOptions
from perijove.config.options.services import ServiceOptions
from perijove.config.options.users import UserOptions
from perijove.domain.errors import ConfigError

ALIASES: dict[Any, str] = {
    ("f", "config"): "JupyterHub.config_file",
    "base-url": "JupyterHub.base_url",
    "y": "JupyterHub.answer_yes",
    "ssl-key": "JupyterHub.ssl_key",
    "ssl-cert": "JupyterHub.ssl_cert",
    "url": "JupyterHub.bind_url",
    "ip": "JupyterHub.ip",
    "port": "JupyterHub.port",
    "pid-file": "JupyterHub.pid_file",
    "log-file": "JupyterHub.extra_log_file",
    "log-level": "Application.log_level",
    "db": "JupyterHub.db_url",
}

FLAGS: dict[str, tuple[dict[str, Any], str]] = {
    "debug": (
        {"Application": {"log_level": logging.DEBUG}},
        "Log as much as possible (level DEBUG).",
    ),
    "show-config": (
        {"Application": {"show_config": True}},
        "Show the configuration for people to read, and exit.",
    ),
    "show-config-json": (
        {"Application": {"show_config_json": True}},
        "Show the configuration as JSON, and exit.",
    ),
    "generate-config": (
        {"JupyterHub": {"generate_config": True}},
        "Write a configuration file with all options as comments, and exit.",
    ),
    "generate-certs": (
        {"JupyterHub": {"generate_certs": True}},
        "Write the certificates for internal_ssl, and exit.",
    ),
    "no-db": (
        {"JupyterHub": {"db_url": "sqlite:///:memory:"}},
        "Keep state in memory only; it is gone when the hub stops.",
    ),
    "upgrade-db": (
        {"JupyterHub": {"upgrade_db": True}},
        "Bring an older database up to date at the start. Make a backup first; "
        "a SQLite file is copied by itself.",
    ),
    "y": (
        {"JupyterHub": {"answer_yes": True}},
        "Answer yes to every question.",
    ),
    "no-ssl": (
        {"JupyterHub": {"confirm_no_ssl": True}},
        "Has no effect; accepted for old start scripts.",
    ),
}


_ParserOfTraitlets: Any = KVArgParseConfigLoader.parser_class


class _Parser(_ParserOfTraitlets):  # type: ignore[misc]
    """Says what is wrong in one sentence; argparse would print all options first."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"Bad command line: {message}")


class _Loader(KVArgParseConfigLoader):
    parser_class = _Parser


class JupyterHub(
    NetworkOptions,
    PluginOptions,
    UserOptions,
    ServerOptions,
    ServiceOptions,
    PageOptions,
    ApiOptions,
    SecurityOptions,
    DatabaseOptions,
    ActivityOptions,
    ProcessOptions,
    LogOptions,
    InternalSSLOptions,
    DeprecatedOptions,
    Application,
):
    """The options of the hub."""

    name = "jupyterhub"
    version = f"{__version__} (interfaces of JupyterHub {INTERFACE_VERSION})"
    description = """Start a hub for Jupyter servers of many users.

    It lets people sign in, starts a Jupyter server for each, leads them to it through
    a proxy, and offers all of that as a REST API.
    """
    examples = """
    generate a configuration file with all options as comments:

        perijove --generate-config -f my_config.py

    start the hub on port 443 of one address, with HTTPS:

        perijove --ip 10.0.1.2 --port 443 --ssl-key my.key --ssl-cert my.cert
    """

    aliases: dict[Any, Any] = ALIASES
    flags: dict[str, Any] = FLAGS

    def _create_loader(self, argv: Any, aliases: Any, flags: Any, classes: Any) -> _Loader:
        return _Loader(argv, aliases, flags, classes=classes, log=self.log)

    @classmethod
    def section_names(cls) -> list[str]:
        """Each section once: subclasses have the same name, and traitlets would merge its
        ``append`` and ``extend`` once more for each.
        """
        return list(dict.fromkeys(super().section_names()))

    @observe("config")
    def _config_changed(self, change: Bunch) -> None:
        """Take over options. The parent's method would log the configuration, secrets too."""
        super(Application, self)._config_changed(change)

    def _configure_logging(self) -> None:
        """Only the level: handlers and formats are set up by ``telemetry.log``."""
        logging.getLogger("JupyterHub").setLevel(level_number(self.log_level))


def level_number(level: Any) -> int:
    """A log level by number from its name or number."""
    return level if isinstance(level, int) else int(getattr(logging, str(level)))
