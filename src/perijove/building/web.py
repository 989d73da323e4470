"""The ASGI application over the rooms."""

import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from perijove import INTERFACE_VERSION
from perijove.building.ground import Ground
from perijove.building.people import People
from perijove.building.plugins import Plugins
from perijove.building.servers import Servers
from perijove.compat.handlers import HandlerFactory
from perijove.compat.relay import Relay
from perijove.config.load import LoadedConfig
from perijove.domain.settings import Settings
from perijove.people.groups import Groups
from perijove.people.refresh import Refresher
from perijove.people.share_codes import ShareCodes
from perijove.people.shares import Shares
from perijove.plugins.spawner_pool import SpawnerPool
from perijove.telemetry.audit import Audit
from perijove.web.asgi import HubApplication, page_headers
from perijove.web.call import Call
from perijove.web.caller import Callers
from perijove.web.cookies import CookieJar
from perijove.web.cors import Cors
from perijove.web.forwarded import LOOPBACK, Forwarded
from perijove.web.pages import home
from perijove.web.pages.environment import (
    STATIC,
    StaticFiles,
    build_environment,
    build_error_environment,
)
from perijove.web.pages.errors import ErrorPages, error_context
from perijove.web.problems import Problems
from perijove.web.rates import RateLimiter
from perijove.web.rooms import Rooms
from perijove.web.site import build_routes, static_prefix
from perijove.web.views import Views
from perijove.web.xsrf import Xsrf

Shutdown = Callable[[bool | None, bool | None], Awaitable[None]]


def make_jar(settings: Settings) -> CookieJar:
    """The hub's cookies."""
    network, security = settings.network, settings.security
    return CookieJar(
        secret=security.cookie_secret,
        hub_prefix=network.hub_prefix,
        base_url=network.base_url,
        domain=network.domain,
        host_prefix=security.cookie_host_prefix_enabled,
        secure=network.public_url.startswith("https://"),
        max_age_days=security.cookie_max_age_days,
        options=dict(security.cookie_options),
        xsrf_options=dict(security.xsrf_cookie_options),
    )


def make_rooms(
    loaded: LoadedConfig,
    ground: Ground,
    plugins: Plugins,
    people: People,
    servers: Servers,
    jar: CookieJar,
    shutdown: Shutdown,
) -> Rooms:
    """What handlers may call."""
    settings, database, bus, clock = ground.settings, ground.database, ground.bus, ground.clock
    network, pages = settings.network, settings.pages
    folders = [pages.static_path, str(STATIC)] if pages.static_path else [str(STATIC)]
    api_only = network.api_only
    static = StaticFiles(static_prefix(network.hub_prefix, api_only=api_only), folders)
    options = pages.jinja_options
    templates = build_environment(pages.template_paths, options=options, static=static)
    return Rooms(
        settings=settings,
        addresses=ground.addresses,
        authenticator=plugins.authenticator,
        spawners=plugins.spawners,
        proxy=plugins.proxy,
        users=people.users,
        groups=Groups(database, bus, plugins.authenticator),
        tokens=people.tokens,
        sessions=people.sessions,
        sign_in=people.sign_in,
        refresher=Refresher(plugins.authenticator, people.sign_in, clock),
        grants=people.grants,
        activity=people.activity,
        answers=people.answers,
        auth_states=people.auth_states,
        shares=Shares(database, bus, clock, people.grants),
        share_codes=ShareCodes(database, bus, clock, people.grants),
        provider=people.provider,
        backchannel=people.backchannel,
        registry=people.registry,
        supervisor=servers.supervisor,
        commands=servers.commands,
        removals=servers.removals,
        progress=servers.progress,
        feed=servers.feed,
        runner=servers.runner,
        reconciler=servers.reconciler,
        callers=Callers(people.tokens, people.sessions, people.grants, jar),
        jar=jar,
        xsrf=Xsrf(
            jar,
            settings.security.xsrf_anonymous_networks,
            settings.security.xsrf_anonymous_headers,
        ),
        rates=RateLimiter(settings.api.rate_limit_per_s, settings.api.rate_burst),
        views=Views(ground.addresses, network.hub_prefix, _live_state(plugins.spawners)),
        templates=templates,
        error_templates=build_error_environment(templates, options=options, static=static),
        static=static,
        handler_for=plugins.context.handler_for,
        shutdown=shutdown,
        info=lambda: _info(loaded),
    )


def _live_state(spawners: SpawnerPool) -> Callable[[int], dict[str, Any] | None]:
    """What a live spawner object keeps of its server; None: there is no object."""

    def state_of(server_id: int) -> dict[str, Any] | None:
        port = spawners.find(server_id)
        return port.state() if port is not None else None

    return state_of


def make_application(
    rooms: Rooms, loaded: LoadedConfig, plugins: Plugins, audit: Audit, relay: Relay | None
) -> HubApplication:
    """The application, with the plug-ins' own handlers beside the hub's."""
    settings = rooms.settings
    network, prefix = settings.network, settings.network.hub_prefix
    pages = ErrorPages(rooms.error_templates, rooms.static, error_context(rooms))
    handlers = HandlerFactory(rooms, plugins.context, loaded, audit)
    plugins.context.handler_for = handlers.handler_for
    rooms.handler_for = handlers.handler_for
    api_only = network.api_only
    return HubApplication(
        base_url=network.base_url,
        hub_prefix=prefix,
        routes=build_routes(pages, prefix, api_only=api_only),
        problems=Problems(f"{prefix}api/", pages.page, api_only=api_only),
        make_call=lambda request, params: Call(request, params, rooms),
        outside=home.outside,
        cors=Cors(settings.api.allowed_origins),
        page_headers=page_headers(settings.pages, network),
        forwarded=Forwarded(frozenset(network.trusted_downstream_ips) | LOOPBACK),
        guests=handlers.guests(f"{prefix}api/" if api_only else prefix, relay),
    )


def _info(loaded: LoadedConfig) -> dict[str, Any]:
    """What ``GET /info`` tells."""
    return {
        "version": INTERFACE_VERSION,
        "python": sys.version,
        "sys_executable": sys.executable,
        "spawner": _plugin_info(loaded.hub.spawner_class),
        "authenticator": _plugin_info(loaded.hub.authenticator_class),
    }


def _plugin_info(plugin: type) -> dict[str, str]:
    top = plugin.__module__.partition(".")[0]
    found = getattr(sys.modules.get(top), "__version__", None)
    if found is None:
        try:
            found = version(top)
        except PackageNotFoundError:
            found = "unknown"
    return {"class": f"{plugin.__module__}.{plugin.__name__}", "version": str(found)}
