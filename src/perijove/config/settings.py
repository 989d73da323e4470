"""From the hub's options to frozen values, one group for each room.

Everything that can be wrong with an option without asking the database or a
plug-in is found here, and said in one sentence, before anything starts.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, cast

from traitlets import TraitError
from traitlets.config import Configurable

from perijove.access.catalogue import CATALOGUE
from perijove.access.errors import AccessError
from perijove.access.roles import plan_roles
from perijove.config.http_client import build_http_client
from perijove.config.hub import JupyterHub, level_number
from perijove.config.ineffective import ineffective_options
from perijove.config.internal_tls import build_internal_tls
from perijove.config.network import build_network
from perijove.config.secrets import COOKIE_SECRET_VARIABLE, load_cookie_secret, read_crypt_keys
from perijove.config.sections import (
    CryptKeeper,
    JupyterHubHTTPClient,
    PeriodicMetricsCollector,
)
from perijove.config.services import read_services, read_tokens
from perijove.config.words import check_dict, check_keys, check_text, check_texts, nearest
from perijove.domain.errors import ConfigError
from perijove.domain.settings import (
    ActivitySettings,
    ApiSettings,
    DatabaseSettings,
    GroupSpec,
    InvalidNames,
    LimitSettings,
    LogSettings,
    MetricSettings,
    PageSettings,
    ProcessSettings,
    RoleSettings,
    SecuritySettings,
    ServerSettings,
    ServiceSettings,
    Settings,
)

XSRF_NETWORKS_VARIABLE = "JUPYTERHUB_XSRF_ANONYMOUS_IP_CIDRS"
XSRF_HEADERS_VARIABLE = "JUPYTERHUB_XSRF_ANONYMOUS_ID_HEADERS"

DATABASES = ("sqlite", "postgresql")

_NOT_NEGATIVE = (
    *("active_server_limit", "concurrent_spawn_limit", "token_expires_in_max_seconds"),
    *("activity_resolution", "last_activity_interval"),
    *(
        "api_rate_limit",
        "service_check_interval",
        "implicit_spawn_seconds",
        "named_server_limit_per_user",
    ),
)
_POSITIVE = (
    *("cookie_max_age_days", "oauth_token_expires_in"),
    *("api_page_default_limit", "api_page_max_limit", "api_rate_burst"),
)


def build_settings(
    hub: JupyterHub, environment: Mapping[str, str] | None = None, *, read_only: bool = False
) -> Settings:
    """All settings of this hub.

    ``environment`` is that of the process unless given. ``read_only``: a missing
    cookie secret is not written to its file. Raises ConfigError with one sentence.
    """
    given = os.environ if environment is None else environment
    _check_numbers(hub)
    remarks = [*ineffective_options(hub), *_remarks_on_tornado(hub)]
    network = build_network(hub)
    return Settings(
        network=network,
        database=_build_database(hub),
        security=_build_security(hub, given, read_only),
        limits=_build_limits(hub),
        servers=_build_servers(hub),
        activity=ActivitySettings(
            resolution_s=hub.activity_resolution,
            update_interval_s=hub.last_activity_interval,
        ),
        roles=_build_roles(hub, remarks),
        services=_build_services(hub),
        pages=_build_pages(hub),
        api=ApiSettings(
            allowed_origins=tuple(hub.api_allowed_origins),
            rate_limit_per_s=hub.api_rate_limit,
            rate_burst=hub.api_rate_burst,
        ),
        processes=ProcessSettings(pid_file=hub.pid_file, cleanup_proxy=hub.cleanup_proxy),
        metrics=_build_metrics(hub),
        http=build_http_client(_section(JupyterHubHTTPClient, hub)),
        internal_tls=build_internal_tls(hub, network),
        warnings=tuple(remarks),
    )


def _check_numbers(hub: JupyterHub) -> None:
    for option in (*_NOT_NEGATIVE, *_POSITIVE):
        value = getattr(hub, option)
        least = "at least 0" if option in _NOT_NEGATIVE else "more than 0"
        if not isinstance(value, int | float):
            continue
        if value < 0 or (value == 0 and option in _POSITIVE):
            raise ConfigError(f"c.JupyterHub.{option} must be {least}, and is {value}")


def _build_database(hub: JupyterHub) -> DatabaseSettings:
    kind = hub.db_url.partition(":")[0].partition("+")[0]
    if kind not in DATABASES:
        raise ConfigError(
            f"c.JupyterHub.db_url: the database must be {' or '.join(DATABASES)}, not {kind!r}"
        )
    return DatabaseSettings(
        url=hub.db_url,
        kwargs=dict(hub.db_kwargs),
        echo=hub.debug_db,
        reset=hub.reset_db,
        upgrade=hub.upgrade_db,
    )


def _build_security(
    hub: JupyterHub, environment: Mapping[str, str], read_only: bool
) -> SecuritySettings:
    tornado = hub.tornado_settings
    headers = environment.get(XSRF_HEADERS_VARIABLE, "")
    keeper = _section(CryptKeeper, hub)
    return SecuritySettings(
        cookie_secret=load_cookie_secret(
            hub.cookie_secret or None,
            hub.cookie_secret_file,
            environment=environment.get(COOKIE_SECRET_VARIABLE, ""),
            create=not read_only,
        ),
        cookie_max_age_days=hub.cookie_max_age_days,
        cookie_host_prefix_enabled=hub.cookie_host_prefix_enabled,
        cookie_options=_tornado_dict(tornado, "cookie_options"),
        xsrf_cookie_options=_tornado_dict(tornado, "xsrf_cookie_kwargs"),
        xsrf_anonymous_networks=_networks(environment.get(XSRF_NETWORKS_VARIABLE, "")),
        xsrf_anonymous_headers=_split(headers) or ("User-Agent",),
        oauth_token_life_s=hub.oauth_token_expires_in,
        oauth_require_pkce=hub.oauth_require_pkce,
        token_max_life_s=hub.token_expires_in_max_seconds,
        crypt_keys=read_crypt_keys(keeper.keys),
        authenticate_prometheus=hub.authenticate_prometheus,
        admin_access=hub.admin_access,
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace(",", ";").split(";") if part.strip())


def _networks(text: str) -> tuple[str, ...]:
    for network in _split(text):
        try:
            ip_network(network)
        except ValueError as error:
            raise ConfigError(
                f"The environment variable {XSRF_NETWORKS_VARIABLE}: {error}"
            ) from None
    return _split(text)


def _build_limits(hub: JupyterHub) -> LimitSettings:
    if hub.api_page_default_limit > hub.api_page_max_limit:
        raise ConfigError(
            f"c.JupyterHub.api_page_default_limit ({hub.api_page_default_limit}) must not be above "
            f"api_page_max_limit ({hub.api_page_max_limit})"
        )
    low, high = hub.spawn_throttle_retry_range
    tornado = hub.tornado_settings
    return LimitSettings(
        active_server_limit=hub.active_server_limit,
        concurrent_spawn_limit=hub.concurrent_spawn_limit,
        spawn_throttle_retry_range=(low, high),
        api_page_default_limit=hub.api_page_default_limit,
        api_page_max_limit=hub.api_page_max_limit,
        slow_spawn_timeout_s=_tornado_number(tornado, "slow_spawn_timeout", 10.0),
        slow_stop_timeout_s=_tornado_number(tornado, "slow_stop_timeout", 10.0),
        user_redirect_limit=int(_tornado_number(tornado, "user_redirect_limit", 4)),
    )


LONG_S = 86400.0
"""Seconds that a negative ``init_spawners_timeout`` stands for."""


def _build_servers(hub: JupyterHub) -> ServerSettings:
    timeout_s = hub.init_spawners_timeout
    return ServerSettings(
        allow_named_servers=hub.allow_named_servers,
        named_server_limit_per_user=hub.named_server_limit_per_user,
        default_server_name=hub.default_server_name if hub.allow_named_servers else "",
        allow_existing_invalid_named_servers=cast(
            InvalidNames, hub.allow_existing_invalid_named_servers
        ),
        cleanup_servers=hub.cleanup_servers,
        init_spawners_timeout_s=LONG_S if timeout_s < 0 else max(1.0, timeout_s),
        implicit_spawn_s=hub.implicit_spawn_seconds,
        redirect_to_server=hub.redirect_to_server,
        shutdown_on_logout=hub.shutdown_on_logout,
        stopped_server_status=503 if hub.use_legacy_stopped_server_status_code else 424,
        user_redirect_hook=hub.user_redirect_hook,
    )


def _build_roles(hub: JupyterHub, remarks: list[str]) -> RoleSettings:
    """Roles and groups, with their scopes and keys checked by the rules of ``access``."""
    option = "custom_scopes"
    try:
        catalogue = CATALOGUE.with_custom(hub.custom_scopes)
        option = "load_roles"
        plan = plan_roles(hub.load_roles, catalogue, extra_user_scopes=hub.extra_user_scopes)
    except AccessError as error:
        raise ConfigError(f"c.JupyterHub.{option}: {error}") from None
    remarks.extend((*catalogue.notes, *plan.notes))
    return RoleSettings(
        load_roles=tuple(hub.load_roles),
        load_groups=read_groups(hub.load_groups, remarks),
        custom_scopes=dict(hub.custom_scopes),
        extra_user_scopes=frozenset(hub.extra_user_scopes),
    )


def read_groups(definitions: Mapping[Any, Any], remarks: list[str]) -> tuple[GroupSpec, ...]:
    """Groups of ``load_groups``. Raises ConfigError; remarks go to ``remarks``."""
    groups = []
    for raw_name, definition in definitions.items():
        name = check_text("a name in c.JupyterHub.load_groups", raw_name)
        what = f"group {name!r} in c.JupyterHub.load_groups"
        if not name.strip():
            raise ConfigError("a name in c.JupyterHub.load_groups cannot be empty")
        if isinstance(definition, list | tuple | set | frozenset):
            remarks.append(f"{what}: a plain list of users is deprecated, use {{'users': [...]}}")
            groups.append(GroupSpec(name, check_texts(what, definition)))
            continue
        if not isinstance(definition, Mapping):
            raise ConfigError(f"{what} must be a dictionary, not {definition!r}")
        check_keys(what, definition, ("users", "properties"))
        properties = definition.get("properties")
        groups.append(
            GroupSpec(
                name,
                check_texts(f"{what}: 'users'", definition.get("users") or ()),
                None if properties is None else check_dict(f"{what}: 'properties'", properties),
            )
        )
    return tuple(groups)


def _build_services(hub: JupyterHub) -> ServiceSettings:
    return ServiceSettings(
        services=read_services(hub.services),
        service_tokens=read_tokens("service_tokens", hub.service_tokens),
        api_tokens=read_tokens("api_tokens", hub.api_tokens),
        check_interval_s=hub.service_check_interval,
    )


def _build_pages(hub: JupyterHub) -> PageSettings:
    tornado = dict(hub.tornado_settings)
    headers = _tornado_dict(tornado, "headers")
    static = os.path.join(hub.data_files_path, "static")
    return PageSettings(
        template_paths=tuple(hub.template_paths),
        template_vars=dict(hub.template_vars),
        static_path=static if os.path.isdir(static) else "",
        logo_file=hub.logo_file,
        default_url=hub.default_url,
        jinja_options=dict(hub.jinja_environment_options),
        headers={str(name): str(value) for name, value in headers.items()},
        cache_static=not tornado.get("no_cache_static", False),
        csp_report_uri=str(tornado.get("csp_report_uri") or ""),
        extra_handlers=tuple(tuple(handler) for handler in hub.extra_handlers),
        tornado_settings=tornado,
    )


def build_logs(hub: JupyterHub) -> LogSettings:
    """How to log; may be asked for before the rest has been checked."""
    return LogSettings(
        level=level_number(hub.log_level),
        format=hub.log_format,
        date_format=hub.log_datefmt,
        handlers=tuple(hub.extra_log_handlers),
        file=hub.extra_log_file,
        overrides=dict(hub.logging_config),
    )


def _build_metrics(hub: JupyterHub) -> MetricSettings:
    collector = _section(PeriodicMetricsCollector, hub)
    return MetricSettings(
        active_users=collector.active_users_enabled,
        active_users_interval_s=collector.active_users_update_interval,
        event_loop=collector.event_loop_interval_enabled,
        event_loop_resolution_s=collector.event_loop_interval_resolution,
        event_loop_log_threshold_s=collector.event_loop_interval_log_threshold,
    )


def _section(section: type[Configurable], hub: JupyterHub) -> Any:
    try:
        return section(config=hub.config)
    except TraitError as error:
        raise ConfigError(f"Bad config encountered during initialization: {error}") from None


TORNADO_KEYS = (
    *("headers", "cookie_options", "xsrf_cookie_kwargs", "no_cache_static", "csp_report_uri"),
    *("slow_spawn_timeout", "slow_stop_timeout", "user_redirect_limit"),
)


def _remarks_on_tornado(hub: JupyterHub) -> list[str]:
    """Keys that look like a known one misspelt; others may be for plug-ins' handlers."""
    remarks = []
    for key in hub.tornado_settings:
        near = nearest(str(key), TORNADO_KEYS, cutoff=0.85)
        if near and near != key:
            remarks.append(
                f"c.JupyterHub.tornado_settings[{key!r}] has no effect; did you mean {near!r}?"
            )
    return remarks


def _tornado_dict(tornado: Mapping[str, Any], key: str) -> dict[str, Any]:
    return check_dict(f"c.JupyterHub.tornado_settings[{key!r}]", tornado.get(key) or {})


def _tornado_number(tornado: Mapping[str, Any], key: str, default: float) -> float:
    value = tornado.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ConfigError(
            f"c.JupyterHub.tornado_settings[{key!r}] must be a number, at least 0, not {value!r}"
        )
    return float(value)
