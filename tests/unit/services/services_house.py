"""The services room on a SQLite file, and settings for it."""

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perijove.access.catalogue import CATALOGUE
from perijove.domain.settings import NetworkSettings, ServiceSpec
from perijove.kit.clock import RealClock
from perijove.kit.http import HttpClient
from perijove.people.activity import Activity
from perijove.people.grants import Grants
from perijove.people.tokens import Tokens
from perijove.routes.addresses import Addresses
from perijove.routes.probe import Prober
from perijove.services.environment import ServiceEnvironment
from perijove.services.registry import Registry
from perijove.services.supervisor import Supervisor
from perijove.services.tenure import Tenure
from perijove.store.engine import Database
from perijove.store.schema import create_schema
from perijove.work.bus import Bus
from perijove.work.lease import ReplicaLease


def network(**values: Any) -> NetworkSettings:
    """Network settings of a small hub."""
    defaults: dict[str, Any] = {
        "bind_url": "http://127.0.0.1:8000",
        "base_url": "/",
        "hub_prefix": "/hub/",
        "hub_bind_url": "http://127.0.0.1:8081/hub/",
        "hub_host": "127.0.0.1",
        "hub_port": 8081,
        "hub_socket": "",
        "hub_socket_mode": 0o600,
        "hub_connect_url": "http://127.0.0.1:8081/hub/",
        "hub_routespec": "/",
        "public_url": "",
        "subdomain_host": "",
        "domain": "",
        "subdomain_hook": lambda name, domain, kind: f"{name}.{domain}",
        "trusted_downstream_ips": (),
        "ssl_key": "",
        "ssl_cert": "",
    }
    return NetworkSettings(**{**defaults, **values})


async def until(what: str, ask: Callable[[], Any], limit_s: float = 10) -> Any:
    """What ``ask`` gives (awaited if need be) once it is true."""
    end = asyncio.get_running_loop().time() + limit_s
    while True:
        answer = ask()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        assert asyncio.get_running_loop().time() < end, f"no {what} within {limit_s:g} seconds"
        await asyncio.sleep(0.01)


class ServicesHouse:
    """A registry, and supervisors as tests want them."""

    def __init__(self, path: Path | str) -> None:
        self.database = Database(str(path))
        create_schema(self.database)
        self.clock, self.bus = RealClock(), Bus()
        self.addresses = Addresses("/")
        grants = Grants(self.database, self.bus, self.clock, CATALOGUE)
        self.activity = Activity(self.database, self.clock, 30)
        self.tokens = Tokens(self.database, self.bus, self.clock, grants, self.activity)
        self.lease = ReplicaLease(self.database, lambda: None)
        self.registry = Registry(self.database, self.tokens, self.addresses, self.lease.id)
        self.tenure = Tenure(self.database, self.tokens, self.addresses, self.lease)
        self.route_checks = 0
        self.environment = ServiceEnvironment(network(), self.addresses)
        self.prober = Prober(HttpClient(keep=False))
        self.supervisors: list[Supervisor] = []

    async def load(self, *specs: ServiceSpec) -> None:
        """Start the hub's registry with these services."""
        await self.registry.load(specs)
        await self.registry.issue_credentials(specs)

    async def supervise(self, *specs: ServiceSpec) -> Supervisor:
        """Load and start these services."""
        if not self.lease.trusted:
            await self.lease.start()
        await self.load(*specs)
        made = Supervisor(
            specs, self.registry, self.tenure, self.environment, self.prober, self.check_routes
        )
        self.supervisors.append(made)
        await made.start()
        return made

    async def check_routes(self) -> None:
        """Count that routes were to be compared."""
        self.route_checks += 1

    async def pid(self, name: str) -> int | None:
        """The process of a service, as people are told."""
        found = await self.registry.find(name)
        assert found is not None
        return found.pid

    async def close(self) -> None:
        """End every service and close everything."""
        for supervisor in self.supervisors:
            await supervisor.close()
        await self.lease.close()
        await self.prober.close()
        await self.activity.close()
        self.database.close()
