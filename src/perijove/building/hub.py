"""One replica, built: every room with its collaborators."""

from collections.abc import Callable
from dataclasses import dataclass

from perijove.building.ground import Ground, lay_ground
from perijove.building.people import People, make_people
from perijove.building.plugins import Plugins, connect_plugins, make_plugins
from perijove.building.servers import Servers, make_servers
from perijove.building.web import Shutdown, make_application, make_jar, make_rooms
from perijove.compat.relay import Relay
from perijove.config.load import LoadedConfig
from perijove.domain.settings import Settings
from perijove.people import purge
from perijove.servers.names import settle_invalid_names
from perijove.store import leases
from perijove.telemetry.audit import Audit
from perijove.web.asgi import HubApplication
from perijove.web.rooms import Rooms
from perijove.work.duties import Duties


@dataclass(frozen=True, slots=True)
class Built:
    """The rooms of one replica, connected."""

    ground: Ground
    plugins: Plugins
    people: People
    servers: Servers
    rooms: Rooms
    application: HubApplication
    relay: Relay | None
    duties: Duties

    async def prepare(self) -> None:
        """Make the database agree with the configuration. Raises ConfigError."""
        settings = self.ground.settings.services
        specs = settings.services
        await self.people.registry.load(specs, settings.service_tokens.values())
        await self.people.preparation.run()
        await self.people.registry.issue_credentials(specs)
        rule = self.ground.settings.servers.allow_existing_invalid_named_servers
        await self.ground.database.write(lambda c: settle_invalid_names(c, rule))
        await self.people.clients.remove_strays()

    async def purge(self) -> None:
        """Delete what has expired, and what belonged to servers that are gone."""
        await purge.purge_expired(self.ground.database, self.ground.clock)
        await self.people.clients.remove_strays()
        await self.ground.database.write(leases.expire)

    async def close_clients(self) -> None:
        """Close the hub's HTTP clients."""
        if self.relay is not None:
            await self.relay.close()
        self.plugins.context.db.close()
        await self.servers.prober.close()
        await self.plugins.proxy.close()


def build(
    loaded: LoadedConfig,
    settings: Settings,
    *,
    on_lease_lost: Callable[[], None],
    on_failure_limit: Callable[[int], None],
    shutdown: Shutdown,
) -> Built:
    """Build every room. Raises ConfigError and SchemaMismatch."""
    ground = lay_ground(settings, on_lease_lost)
    plugins = make_plugins(loaded, ground)
    jar = make_jar(settings)
    people = make_people(ground, plugins.authenticator, jar.login_name)
    audit = Audit(loaded.config)
    servers = make_servers(ground, plugins, people, audit, on_failure_limit)
    connect_plugins(plugins, ground, people.users, people.auth_states, servers.sweep)
    rooms = make_rooms(loaded, ground, plugins, people, servers, jar, shutdown)
    # On SQLite there is one replica.
    relay = None if ground.database.sqlite else Relay(ground.bus, ground.lease.id, ground.database)
    application = make_application(rooms, loaded, plugins, audit, relay)
    plugins.proxy.on_restart(servers.reconciler.restore)
    duties = Duties(ground.database, ground.lease.id)
    return Built(ground, plugins, people, servers, rooms, application, relay, duties)
