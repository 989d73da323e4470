"""The operator's plug-ins, and what they may see of the hub."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perijove.access.roles import scopes_of_roles
from perijove.building.ground import Ground
from perijove.compat import stored
from perijove.compat.certificates import show_certificates
from perijove.config.hub import JupyterHub
from perijove.config.load import LoadedConfig
from perijove.config.network import check_extra_routes, proxy_options
from perijove.domain.ports import HubAddress
from perijove.domain.settings import NetworkSettings, Settings
from perijove.kit.tls import Certificates
from perijove.people.auth_state import AuthStates
from perijove.people.users import Users
from perijove.plugins.adapters import AuthenticatorAdapter, ProxyAdapter
from perijove.plugins.context import DeferredSession, HubContext, PluginHub
from perijove.plugins.spawner_pool import SpawnerPool
from perijove.servers.sweep import Sweep
from perijove.store import roles as role_rows
from perijove.store import users as user_rows


@dataclass(frozen=True, slots=True)
class Plugins:
    """The plug-ins behind their ports."""

    context: HubContext
    authenticator: AuthenticatorAdapter
    proxy: ProxyAdapter
    spawners: SpawnerPool


def make_plugins(loaded: LoadedConfig, ground: Ground) -> Plugins:
    """Make the operator's classes. Raises ConfigError when one refuses its configuration."""
    context = _context(loaded, ground)
    network = ground.settings.network
    authenticator = AuthenticatorAdapter(loaded.hub.authenticator_class, context)
    options = {**proxy_options(network), "_http_settings": ground.settings.http}
    proxy = ProxyAdapter(loaded.hub.proxy_class, context, options)
    check_extra_routes(network, proxy.extra_routes)
    spawners = SpawnerPool(loaded.hub.spawner_class, context, authenticator)
    return Plugins(context, authenticator, proxy, spawners)


def _context(loaded: LoadedConfig, ground: Ground) -> HubContext:
    network, security = ground.settings.network, ground.settings.security
    address = _address(network, ground.settings)
    context = HubContext(
        address=address,
        config=loaded.config,
        app=loaded.hub,
        hub=PluginHub.from_address(address, network.hub_routespec),
        user_host=network.host_of_user,
        cookie_host_prefix_enabled=security.cookie_host_prefix_enabled,
        database=ground.database,
        # Some plug-ins ask the database while they are made.
        db=DeferredSession(lambda: stored.open_session(ground.database, ground.bus)),
    )
    if ground.certificates is not None:
        _hand_out_certificates(ground.certificates, loaded.hub, context)
    context.settings.update(ground.settings.pages.tornado_settings)
    context.settings["admin_access"] = security.admin_access
    return context


def _hand_out_certificates(
    certificates: Certificates, app: JupyterHub, context: HubContext
) -> None:
    """Plug-ins find the certificates in what they are made with, and in the application."""
    context.internal_ssl = True
    context.internal_certs_location = certificates.location
    context.internal_trust_bundles = dict(certificates.bundles)
    context.trusted_alt_names = app.trusted_alt_names
    show_certificates(app, certificates)


def _address(network: NetworkSettings, settings: Settings) -> HubAddress:
    origin = network.public_host
    return HubAddress(
        base_url=network.base_url,
        hub_prefix=network.hub_prefix,
        api_url=network.hub_api_url,
        url=network.hub_connect_url,
        bind_url=network.hub_bind_url,
        public_host=origin,
        public_url=network.public_url,
        public_hub_url=f"{origin}{network.hub_prefix}" if origin else "",
        cookie_options=settings.security.cookie_options,
    )


def connect_plugins(
    plugins: Plugins, ground: Ground, users: Users, auth_states: AuthStates, sweep: Sweep
) -> None:
    """Give plug-ins their way to what other rooms know."""
    context, authenticator, database = plugins.context, plugins.authenticator, ground.database

    async def get_auth_state(user_id: int) -> dict[str, Any] | None:
        if not authenticator.rules.enable_auth_state:
            return None
        user = await database.read(lambda c: user_rows.get(c, user_id))
        return await auth_states.get(user) if user is not None else None

    async def save_auth_state(user_id: int, state: dict[str, Any] | None) -> None:
        user = await database.read(lambda c: user_rows.get(c, user_id))
        if user is not None:
            await auth_states.put(user, state)

    async def user_exists(name: str) -> bool:
        return await users.find(name) is not None

    async def role_scopes(names: Sequence[str]) -> list[str]:
        roles = await database.read(role_rows.all_roles)
        return list(scopes_of_roles(names, {name: role.scopes for name, role in roles.items()}))

    context.get_auth_state = get_auth_state
    context.save_auth_state = save_auth_state
    context.user_exists = user_exists
    context.role_scopes = role_scopes
    context.server_moved = sweep.server_moved
    context.server_ended = sweep.server_ended
