"""Servers, their routes, and services."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from perijove.building.certificates import make_service_certifier
from perijove.building.ground import Ground
from perijove.building.people import People
from perijove.building.plugins import Plugins
from perijove.domain.servers import State
from perijove.domain.settings import Settings
from perijove.plugins.http import make_http_client
from perijove.routes.desired import Desired, FixedRoutes, desired_routes
from perijove.routes.probe import Prober
from perijove.routes.publish import ServerRoutes
from perijove.routes.reconcile import Reconciler
from perijove.servers.commands import Commands
from perijove.servers.feed import ServerFeed
from perijove.servers.holdings import Holdings
from perijove.servers.launch import Launcher
from perijove.servers.progress import ProgressFeed
from perijove.servers.removal import Removals
from perijove.servers.runner import Collaborators, Runner
from perijove.servers.sweep import Sweep
from perijove.services.environment import ServiceEnvironment
from perijove.services.supervisor import Supervisor
from perijove.services.tenure import Tenure
from perijove.store import servers as server_rows
from perijove.store import services as service_rows
from perijove.telemetry import metrics
from perijove.telemetry.audit import Audit


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs servers and leads people to them."""

    holdings: Holdings
    prober: Prober
    runner: Runner
    sweep: Sweep
    commands: Commands
    removals: Removals
    progress: ProgressFeed
    feed: ServerFeed
    reconciler: Reconciler
    supervisor: Supervisor


def make_servers(
    ground: Ground,
    plugins: Plugins,
    people: People,
    audit: Audit,
    on_failure_limit: Callable[[int], None],
) -> Servers:
    """``on_failure_limit`` hears of too many failed starts in a row."""
    settings, database, bus, lease = ground.settings, ground.database, ground.bus, ground.lease
    certificates = ground.certificates
    tls = certificates.calling_context() if certificates is not None else None
    prober = Prober(make_http_client(settings.http, tls, keep=False))
    factory, holdings = plugins.spawners, Holdings()
    # Counted when somebody asks, not at each of thousands of starts.
    metrics.RUNNING_SERVERS.set_function(lambda: holdings.count(State.READY))
    routes = ServerRoutes(plugins.proxy, ground.addresses)
    launcher = Launcher(database, ground.addresses, people.grants, people.tokens)
    runner = Runner(
        Collaborators(
            database=database,
            factory=factory,
            launcher=launcher,
            routes=routes,
            prober=prober,
            bus=bus,
            audit=audit,
            on_failure_limit=on_failure_limit,
        ),
        holdings,
    )
    commands = Commands(
        database, factory, runner, holdings, bus, lease.id, settings.limits, settings.servers
    )
    authenticator, users = plugins.authenticator, people.users
    feed = ServerFeed(database, bus)
    reconciler = Reconciler(plugins.proxy, _desired_source(ground, plugins))
    return Servers(
        holdings=holdings,
        prober=prober,
        runner=runner,
        sweep=Sweep(database, factory, launcher, runner, holdings, routes, prober, lease, bus),
        commands=commands,
        removals=Removals(
            database, factory, authenticator, users, launcher, commands, feed, lease.id
        ),
        progress=ProgressFeed(database, holdings, bus),
        feed=feed,
        reconciler=reconciler,
        supervisor=_supervisor(ground, people, prober, reconciler),
    )


def _supervisor(
    ground: Ground, people: People, prober: Prober, reconciler: Reconciler
) -> Supervisor:
    settings = ground.settings
    environment = ServiceEnvironment(
        settings.network,
        ground.addresses,
        settings.security.cookie_options,
        settings.security.cookie_host_prefix_enabled,
    )
    tenure = Tenure(ground.database, people.tokens, ground.addresses, ground.lease)
    return Supervisor(
        settings.services.services,
        people.registry,
        tenure,
        environment,
        prober,
        reconciler.check,
        make_service_certifier(ground.certificates),
    )


def _desired_source(ground: Ground, plugins: Plugins) -> Callable[[], Awaitable[Desired]]:
    """The wanted routes, read from the database at each call. Raises ConfigError at once
    for routes of the operator that cannot be."""
    fixed = _fixed_routes(ground.settings, plugins)

    async def desired() -> Desired:
        servers, services = await ground.database.read(
            lambda c: (server_rows.active(c), service_rows.all_services(c))
        )
        return desired_routes(ground.addresses, fixed, servers, services)

    return desired


def _fixed_routes(settings: Settings, plugins: Plugins) -> FixedRoutes:
    network, proxy = settings.network, plugins.proxy
    target = network.hub_connect_url.partition(network.hub_prefix)[0]
    extra = {proxy.validate_routespec(spec): url for spec, url in proxy.extra_routes.items()}
    return FixedRoutes(network.hub_routespec, target, extra)
