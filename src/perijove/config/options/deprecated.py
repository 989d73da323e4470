"""Options of old, kept so that old configurations go on working.

Those that moved to another class are carried over there, with a warning, unless
the new one is set too.
"""

from typing import Any

from traitlets import Bool, Bunch, Dict, HasTraits, Integer, List, Set, Unicode, observe

from perijove.kit.urls import bracket_ipv6
from perijove.plugins.traits import Command

MOVED: dict[str, tuple[str, str]] = {
    "admin_users": ("Authenticator", "admin_users"),
    "debug_proxy": ("ConfigurableHTTPProxy", "debug"),
    "proxy_auth_token": ("ConfigurableHTTPProxy", "auth_token"),
    "proxy_check_interval": ("ConfigurableHTTPProxy", "check_running_interval"),
    "proxy_cmd": ("ConfigurableHTTPProxy", "command"),
    "proxy_api_ip": ("ConfigurableHTTPProxy", "api_url"),
    "proxy_api_port": ("ConfigurableHTTPProxy", "api_url"),
}
"""Option of the hub to class and option that took its place."""

DISCOURAGED: dict[str, str] = {
    "admin_access": "rights on other people's servers are scopes now; only the environment of "
    "servers is told",
    "api_tokens": "make the token's owner a service and use service_tokens",
    "extra_handlers": "run a service instead",
    "extra_log_file": "send the output of the process to a file instead",
    "hub_connect_port": "use hub_connect_url, which says the whole address",
}
"""Option that still works to what to do instead."""


class DeprecatedOptions(HasTraits):
    """Old names, and ways of old."""

    log: Any
    config: Any

    admin_users = Set(
        help="""Deprecated: use `c.Authenticator.admin_users`.""",
    ).tag(config=True, deprecated=True)

    admin_access = Bool(
        False,
        help="""Deprecated: give rights on other people's servers by scopes.

        The only effect is `JUPYTERHUB_ADMIN_ACCESS=1` in the environment of servers.
        """,
    ).tag(config=True, deprecated=True)

    api_tokens = Dict(
        help="""Deprecated: use `service_tokens`.

        A dictionary from API token to user name.
        """,
    ).tag(config=True, deprecated=True)

    confirm_no_ssl = Bool(
        False,
        help="""Deprecated: has no effect.""",
    ).tag(config=True, deprecated=True)

    debug_proxy = Bool(
        False,
        help="""Deprecated: use `c.ConfigurableHTTPProxy.debug`.""",
    ).tag(config=True, deprecated=True)

    extra_handlers: List[Any] = List(
        help="""Deprecated: run a service instead.

        Tornado handlers below the hub's prefix: tuples of path, class and arguments.
        """,
    ).tag(config=True, deprecated=True)

    hub_connect_port = Integer(
        0,
        help="""Deprecated: use `hub_connect_url`.

        The port by which proxy, servers and services reach the hub.
        """,
    ).tag(config=True, deprecated=True)

    proxy_api_ip = Unicode(
        "",
        help="""Deprecated: use `c.ConfigurableHTTPProxy.api_url`.""",
    ).tag(config=True, deprecated=True)

    proxy_api_port = Integer(
        0,
        help="""Deprecated: use `c.ConfigurableHTTPProxy.api_url`.""",
    ).tag(config=True, deprecated=True)

    proxy_auth_token = Unicode(
        "",
        help="""Deprecated: use `c.ConfigurableHTTPProxy.auth_token`.""",
    ).tag(config=True, deprecated=True)

    proxy_check_interval = Integer(
        5,
        help="""Deprecated: use `c.ConfigurableHTTPProxy.check_running_interval`.""",
    ).tag(config=True, deprecated=True)

    proxy_cmd = Command(
        [],
        help="""Deprecated: use `c.ConfigurableHTTPProxy.command`.""",
    ).tag(config=True, deprecated=True)

    @observe(*MOVED)
    def _carry_over(self, change: Bunch) -> None:
        section, option = MOVED[change.name]
        self.log.warning("c.JupyterHub.%s is deprecated, use c.%s.%s", change.name, section, option)
        carried = self.__dict__.setdefault("_carried_over", set())
        if option in self.config[section] and (section, option) not in carried:
            return
        carried.add((section, option))
        self.config[section][option] = self._moved_value(change)

    def _moved_value(self, change: Bunch) -> Any:
        if not change.name.startswith("proxy_api_"):
            return change.new
        host = bracket_ipv6(str(self.proxy_api_ip or "127.0.0.1"))
        return f"http://{host}:{self.proxy_api_port or self.port + 1}"  # type: ignore[attr-defined]

    @observe(*DISCOURAGED)
    def _discourage(self, change: Bunch) -> None:
        self.log.warning("c.JupyterHub.%s is deprecated: %s", change.name, DISCOURAGED[change.name])
