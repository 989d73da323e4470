"""Which services there are: those of the configuration, and those made at run time."""

import logging
from collections.abc import Sequence

from sqlalchemy import Connection

from perijove.domain.errors import ConfigError
from perijove.domain.settings import ServiceSpec
from perijove.domain.tokens import OAuthClient
from perijove.domain.users import Service
from perijove.kit.crypto import hash_token
from perijove.kit.ids import new_token
from perijove.people.tokens import Tokens
from perijove.routes.addresses import Addresses
from perijove.store import oauth as oauth_rows
from perijove.store import roles as role_rows
from perijove.store import services as service_rows
from perijove.store.engine import Database

log = logging.getLogger("perijove.services")

STARTUP_NOTE = "generated at startup"


class Registry:
    """The services of this hub."""

    def __init__(self, database: Database, tokens: Tokens, addresses: Addresses) -> None:
        self._database = database
        self._tokens = tokens
        self._addresses = addresses
        self.secrets: dict[str, str] = {}

    async def load(self, specs: Sequence[ServiceSpec]) -> None:
        """Make the database's services those of the configuration, run-time ones kept.

        Runs before roles are loaded, since roles name services. Raises ConfigError.
        """

        def write(connection: Connection) -> None:
            oauth_rows.ensure_hub_client(connection)
            wanted = {spec.name for spec in specs}
            for service in service_rows.all_services(connection):
                if service.from_config and service.name not in wanted:
                    service_rows.remove(connection, service.id)
            for spec in specs:
                present = service_rows.find(connection, spec.name)
                if present is not None and not present.from_config:
                    log.error(
                        "The service %r of the configuration is left out: one of that name "
                        "was made at run time",
                        spec.name,
                    )
                    continue
                service_rows.save(connection, self._service_of(spec))

        await self._database.write(write)

    @staticmethod
    def _service_of(spec: ServiceSpec) -> Service:
        return Service(
            id=0,
            name=spec.name,
            admin=spec.admin,
            url=spec.url,
            command=tuple(spec.command),
            info=dict(spec.info),
            display=spec.display,
            from_config=True,
            oauth_no_confirm=spec.oauth_no_confirm,
            oauth_client_id=spec.client_id if spec.has_oauth else None,
            oauth_client_allowed_scopes=tuple(spec.oauth_client_allowed_scopes),
            cwd=spec.cwd,
            environment=dict(spec.environment),
            user=spec.user,
            timeout_s=spec.timeout_s,
        )

    async def issue_credentials(self, specs: Sequence[ServiceSpec]) -> None:
        """Tokens and OAuth clients of the configuration's services. Raises ConfigError."""

        def write(connection: Connection) -> None:
            for spec in specs:
                service = service_rows.find(connection, spec.name)
                if service is None or not service.from_config:
                    continue
                secret = spec.api_token
                if secret:
                    self._tokens.adopt_given(connection, secret, service)
                elif spec.managed:
                    secret = new_token()
                    self._tokens.create_now(
                        connection, service, ("inherit",), note=STARTUP_NOTE, secret=secret
                    )
                if secret:
                    self.secrets[spec.name] = secret
                if spec.has_oauth:
                    oauth_rows.save_client(connection, self._client_of(spec, secret))

        await self._database.write(write)

    def _client_of(self, spec: ServiceSpec, secret: str) -> OAuthClient:
        redirect = spec.oauth_redirect_uri
        if not redirect and spec.url:
            host = self._addresses.service_host(spec.name)
            path = self._addresses.service_path(spec.name)
            redirect = f"{self._addresses.origin_of(host)}{path}oauth_callback"
        if not redirect:
            raise ConfigError(
                f"c.JupyterHub.services: the service {spec.name!r} signs people in (OAuth) but "
                "has no url, so it needs oauth_redirect_uri."
            )
        access = f"access:services!service={spec.name}"
        return OAuthClient(
            identifier=spec.client_id,
            description=f"Service {spec.name}",
            secret_hash=hash_token(secret) if secret else "",
            redirect_uri=redirect,
            allowed_scopes=tuple(dict.fromkeys([*spec.oauth_client_allowed_scopes, access])),
        )

    async def all(self) -> list[Service]:
        """Every service."""
        return await self._database.read(service_rows.all_services)

    async def find(self, name: str) -> Service | None:
        """The service of this name."""
        return await self._database.read(lambda c: service_rows.find(c, name))

    async def roles_of(self, service: Service) -> tuple[str, ...]:
        """The names of a service's roles."""
        names = await self._database.read(lambda c: role_rows.names_of(c, "service", [service.id]))
        return tuple(names.get(service.id, ()))

    async def note_pid(self, name: str, pid: int | None) -> None:
        """Remember the process of a managed service."""

        def write(connection: Connection) -> None:
            service = service_rows.find(connection, name)
            if service is not None:
                service_rows.set_pid(connection, service.id, pid)

        await self._database.write(write)
