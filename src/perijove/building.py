"""Putting the rooms together: who gets which collaborator.

``app`` starts and stops what is built here. Nothing in this module decides
anything; it only connects.
"""

import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from perijove import INTERFACE_VERSION
from perijove.access.catalogue import CATALOGUE
from perijove.compat.handlers import HandlerFactory
from perijove.config.load import LoadedConfig
from perijove.domain.ports import HubAddress
from perijove.domain.settings import Settings
from perijove.kit.clock import Clock, RealClock
from perijove.kit.crypto import Cipher
from perijove.oauth.clients import Clients
from perijove.oauth.provider import Provider
from perijove.people import purge
from perijove.people.activity import Activity
from perijove.people.auth_state import AuthStates
from perijove.people.grants import Grants
from perijove.people.groups import Groups
from perijove.people.login import SignIn
from perijove.people.prepare import Preparation
from perijove.people.refresh import Refresher
from perijove.people.sessions import Sessions
from perijove.people.share_codes import ShareCodes
from perijove.people.shares import Shares
from perijove.people.tokens import Tokens
from perijove.people.users import Users
from perijove.plugins.adapters import AuthenticatorAdapter, ProxyAdapter
from perijove.plugins.context import HubContext, PluginHub
from perijove.plugins.spawner_adapter import SpawnerPool
from perijove.routes.addresses import Addresses
from perijove.routes.desired import Desired, FixedRoutes, desired_routes
from perijove.routes.probe import Prober
from perijove.routes.publish import ServerRoutes
from perijove.routes.reconcile import Reconciler
from perijove.servers.commands import Commands
from perijove.servers.holdings import Holdings
from perijove.servers.launch import Launcher
from perijove.servers.progress import ProgressFeed
from perijove.servers.removal import Removals
from perijove.servers.runner import Collaborators, Runner
from perijove.servers.sweep import Sweep
from perijove.services.environment import ServiceEnvironment
from perijove.services.registry import Registry
from perijove.services.supervisor import Supervisor
from perijove.store import leases, schema
from perijove.store import servers as server_rows
from perijove.store import services as service_rows
from perijove.store import users as user_rows
from perijove.store.engine import Database
from perijove.telemetry.audit import Audit
from perijove.web.asgi import HubApplication, page_headers
from perijove.web.call import Call
from perijove.web.caller import Callers
from perijove.web.cookies import CookieJar
from perijove.web.forwarded import LOOPBACK, Forwarded
from perijove.web.pages import home
from perijove.web.pages.environment import (
    STATIC,
    StaticFiles,
    build_environment,
    build_error_environment,
)
from perijove.web.pages.errors import ErrorPages
from perijove.web.problems import Problems
from perijove.web.rooms import Rooms
from perijove.web.site import build_routes
from perijove.web.views import Views
from perijove.web.xsrf import Xsrf
from perijove.work.bus import Bus, PostgresqlBus
from perijove.work.duties import Duties
from perijove.work.lease import ReplicaLease

log = logging.getLogger("JupyterHub")

Shutdown = Callable[[bool | None, bool | None], Awaitable[None]]


@dataclass(slots=True)
class Built:
    """The rooms of one replica, connected."""

    clock: Clock
    database: Database
    bus: Bus
    lease: ReplicaLease
    duties: Duties
    holdings: Holdings
    runner: Runner
    sweep: Sweep
    supervisor: Supervisor
    rooms: Rooms
    application: HubApplication
    preparation: Preparation
    prober: Prober
    proxy: ProxyAdapter
    clients: Clients
    settings: Settings

    async def prepare(self) -> None:
        """Make the database agree with the configuration. Raises ConfigError."""
        specs = self.settings.services.services
        await self.rooms.registry.load(specs)
        await self.preparation.run()
        await self.rooms.registry.issue_credentials(specs)
        await self.clients.remove_strays()

    async def purge(self) -> None:
        """Delete what has expired."""
        await purge.purge_expired(self.database, self.clock)
        await self.database.write(leases.expire)

    async def close_clients(self) -> None:
        """Close the hub's HTTP clients."""
        await self.prober.close()
        await self.proxy.close()


def open_database(settings: Settings) -> Database:
    """The database, with the schema of this version. Raises ConfigError, SchemaMismatch."""
    wanted = settings.database
    database = Database(wanted.url, wanted.kwargs, echo=wanted.echo)
    if wanted.reset:
        schema.drop_schema(database)
    copy = schema.require_schema(database, upgrade_older=wanted.upgrade)
    if copy is not None:
        log.info("The database was upgraded; the copy made before is %s", copy)
    return database


async def build(
    loaded: LoadedConfig,
    settings: Settings,
    *,
    on_lease_lost: Callable[[], None],
    on_failure_limit: Callable[[int], None],
    shutdown: Shutdown,
) -> Built:
    """Build every room. Raises ConfigError and SchemaMismatch."""
    clock = RealClock()
    database = open_database(settings)
    lease = ReplicaLease(database, on_lease_lost)
    bus = Bus() if database.sqlite else PostgresqlBus(database.engine, lease.id)
    addresses = addresses_of(settings)
    context = plugin_context(loaded, settings)
    authenticator = AuthenticatorAdapter(loaded.hub.authenticator_class, context)
    proxy = ProxyAdapter(loaded.hub.proxy_class, context, proxy_options(settings))
    factory = SpawnerPool(loaded.hub.spawner_class, context, authenticator)

    catalogue = CATALOGUE.with_custom(settings.roles.custom_scopes)
    grants = Grants(database, bus, clock, catalogue)
    activity = Activity(database, clock, settings.activity.resolution_s)
    auth_states = AuthStates(database, Cipher(settings.security.crypt_keys))
    users = Users(database, bus, clock, authenticator, activity, auth_states)
    security = settings.security
    tokens = Tokens(database, bus, clock, grants, activity, max_life_s=security.token_max_life_s)
    jar = cookie_jar(settings)
    sessions = Sessions(
        database,
        bus,
        clock,
        secret=security.cookie_secret,
        cookie_name=jar.login_name,
        max_age_days=security.cookie_max_age_days,
    )
    sign_in = SignIn(
        database,
        bus,
        authenticator,
        users=users,
        sessions=sessions,
        grants=grants,
        activity=activity,
        auth_states=auth_states,
    )
    registry = Registry(database, tokens, addresses)
    preparation = Preparation(
        database,
        bus,
        authenticator,
        users,
        tokens,
        grants,
        settings.roles,
        api_tokens=settings.services.api_tokens,
        service_tokens=settings.services.service_tokens,
    )

    holdings = Holdings()
    launcher = Launcher(database, addresses, grants, tokens)
    prober = Prober()
    routes = ServerRoutes(proxy, addresses)
    runner = Runner(
        Collaborators(
            database=database,
            factory=factory,
            launcher=launcher,
            routes=routes,
            prober=prober,
            bus=bus,
            audit=Audit(loaded.hub.config),
            on_failure_limit=on_failure_limit,
        ),
        holdings,
    )
    sweep = Sweep(database, factory, launcher, runner, holdings, routes, prober, lease, bus)
    commands = Commands(
        database, factory, runner, holdings, bus, lease.id, settings.limits, settings.servers
    )
    removals = Removals(database, factory, authenticator, users, launcher, commands)
    reconciler = Reconciler(
        proxy, desired_source(database, addresses, fixed_routes(settings, proxy))
    )
    static = StaticFiles(f"{settings.network.hub_prefix}static/", static_folders(settings))
    templates = build_environment(
        settings.pages.template_paths, options=settings.pages.jinja_options, static=static
    )
    error_templates = build_error_environment(
        templates, options=settings.pages.jinja_options, static=static
    )
    rooms = Rooms(
        settings=settings,
        addresses=addresses,
        authenticator=authenticator,
        spawners=factory,
        proxy=proxy,
        users=users,
        groups=Groups(database, bus, authenticator),
        tokens=tokens,
        sessions=sessions,
        sign_in=sign_in,
        refresher=Refresher(authenticator, sign_in, clock),
        grants=grants,
        activity=activity,
        auth_states=auth_states,
        shares=Shares(database, bus, clock, grants),
        share_codes=ShareCodes(database, bus, clock, grants),
        provider=Provider(
            database,
            clock,
            grants,
            tokens,
            token_life_s=security.oauth_token_life_s,
            require_pkce=security.oauth_require_pkce,
        ),
        registry=registry,
        commands=commands,
        removals=removals,
        progress=ProgressFeed(database, holdings, bus),
        runner=runner,
        reconciler=reconciler,
        callers=Callers(tokens, sessions, grants, jar),
        jar=jar,
        xsrf=Xsrf(jar),
        views=Views(addresses, settings.network.hub_prefix, live_state(factory)),
        templates=templates,
        error_templates=error_templates,
        static=static,
        handler_for=context.handler_for,
        shutdown=shutdown,
        info=lambda: info_of(loaded),
    )
    connect_context(context, rooms, database)
    application = web_application(rooms, loaded, context)
    proxy.on_restart(reconciler.restore)
    return Built(
        clock=clock,
        database=database,
        bus=bus,
        lease=lease,
        duties=Duties(database, lease.id),
        holdings=holdings,
        runner=runner,
        sweep=sweep,
        supervisor=Supervisor(
            settings.services.services,
            registry,
            ServiceEnvironment(
                settings.network,
                addresses,
                security.cookie_options,
                security.cookie_host_prefix_enabled,
            ),
            prober,
        ),
        rooms=rooms,
        application=application,
        preparation=preparation,
        prober=prober,
        proxy=proxy,
        clients=Clients(database, bus),
        settings=settings,
    )


def addresses_of(settings: Settings) -> Addresses:
    """Public paths and hosts."""
    network = settings.network
    return Addresses(
        base_url=network.base_url,
        subdomain_host=network.subdomain_host,
        public_url=network.public_url,
        domain_hook=network.subdomain_hook,
    )


def cookie_jar(settings: Settings) -> CookieJar:
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


def static_folders(settings: Settings) -> list[str]:
    """Where static files are looked for: the operator's folder, then ours."""
    own = settings.pages.static_path
    return [own, str(STATIC)] if own else [str(STATIC)]


def live_state(factory: SpawnerPool) -> Callable[[int], dict[str, Any] | None]:
    """What a live spawner object keeps of its server; None: there is no object."""

    def state_of(server_id: int) -> dict[str, Any] | None:
        port = factory.find(server_id)
        return port.state() if port is not None else None

    return state_of


def fixed_routes(settings: Settings, proxy: ProxyAdapter) -> FixedRoutes:
    """The hub's route and the operator's own. Raises ConfigError for bad ones."""
    network = settings.network
    target = network.hub_connect_url.partition(network.hub_prefix)[0]
    extra = {proxy.validate_routespec(spec): url for spec, url in proxy.extra_routes.items()}
    return FixedRoutes(network.hub_routespec, target, extra)


def desired_source(
    database: Database, addresses: Addresses, fixed: FixedRoutes
) -> Callable[[], Awaitable[Desired]]:
    """The wanted routes, read from the database at each call."""

    async def desired() -> Desired:
        servers, services = await database.read(
            lambda c: (server_rows.active(c), service_rows.all_services(c))
        )
        return desired_routes(addresses, fixed, servers, services)

    return desired


# -- plug-ins -----------------------------------------------------------------


def plugin_context(loaded: LoadedConfig, settings: Settings) -> HubContext:
    """What plug-ins see of the hub, before the rooms exist."""
    network, security = settings.network, settings.security
    origin = network.public_host
    address = HubAddress(
        base_url=network.base_url,
        hub_prefix=network.hub_prefix,
        api_url=network.hub_api_url,
        url=network.hub_connect_url,
        public_host=origin,
        public_url=network.public_url,
        public_hub_url=f"{origin}{network.hub_prefix}" if origin else "",
        cookie_options=security.cookie_options,
    )
    return HubContext(
        address=address,
        config=loaded.hub.config,
        app=loaded.hub,
        hub=PluginHub.from_address(address, network.hub_routespec),
        user_host=network.host_of_user,
        cookie_host_prefix_enabled=security.cookie_host_prefix_enabled,
    )


def proxy_options(settings: Settings) -> dict[str, Any]:
    """What a proxy class is made with, besides its context."""
    network = settings.network
    return {
        "public_url": network.bind_url,
        "host_routing": bool(network.subdomain_host),
        "ssl_key": network.ssl_key,
        "ssl_cert": network.ssl_cert,
    }


def connect_context(context: HubContext, rooms: Rooms, database: Database) -> None:
    """Give plug-ins their way to people's auth_state and to the scopes of roles."""

    async def get_auth_state(user_id: int) -> dict[str, Any] | None:
        user = await database.read(lambda c: user_rows.get(c, user_id))
        return await rooms.auth_states.get(user) if user is not None else None

    async def save_auth_state(user_id: int, state: dict[str, Any] | None) -> None:
        user = await database.read(lambda c: user_rows.get(c, user_id))
        if user is not None:
            await rooms.auth_states.put(user, state)

    async def user_exists(name: str) -> bool:
        return await rooms.users.find(name) is not None

    context.get_auth_state = get_auth_state
    context.save_auth_state = save_auth_state
    context.user_exists = user_exists
    context.settings.update(rooms.settings.pages.tornado_settings)


# -- web ----------------------------------------------------------------------


def web_application(rooms: Rooms, loaded: LoadedConfig, context: HubContext) -> HubApplication:
    """The ASGI application over the rooms."""
    settings = rooms.settings
    network = settings.network
    pages = ErrorPages(rooms.error_templates, rooms.static, error_context(rooms))
    handlers = HandlerFactory(rooms, context, loaded)
    context.handler_for = handlers.handler_for
    rooms.handler_for = handlers.handler_for
    return HubApplication(
        base_url=network.base_url,
        hub_prefix=network.hub_prefix,
        routes=build_routes(pages, network.hub_prefix),
        problems=Problems(f"{network.hub_prefix}api/", pages.page),
        make_call=lambda request, params: Call(request, params, rooms),
        outside=home.outside,
        page_headers=page_headers(network.hub_prefix, dict(settings.pages.headers)),
        forwarded=Forwarded(frozenset(network.trusted_downstream_ips) | LOOPBACK),
        guests=handlers.guests(),
    )


def error_context(rooms: Rooms) -> dict[str, Any]:
    """The variables of error pages, which must not need anything else."""
    prefix = rooms.settings.network.hub_prefix
    return {
        "base_url": prefix,
        "prefix": rooms.settings.network.base_url,
        "user": None,
        "login_url": rooms.authenticator.login_url(prefix),
        "login_service": rooms.authenticator.rules.login_service,
        "logout_url": rooms.authenticator.logout_url(prefix),
        "services": [],
        "parsed_scopes": {},
        "expanded_scopes": frozenset(),
        "xsrf": "",
        "xsrf_token": "",
        "no_spawner_check": True,
        **{k: v for k, v in rooms.settings.pages.template_vars.items() if not callable(v)},
    }


def info_of(loaded: LoadedConfig) -> dict[str, Any]:
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
