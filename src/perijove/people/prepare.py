"""What happens to accounts, groups, roles and tokens when the hub starts.

The configuration and the authenticator say who exists and who holds what; the
database is made to agree in one transaction, before anybody is let in. What is
changed, and why somebody keeps a right that the configuration does not mention,
is logged. Services must be in the database already.
"""

import logging
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from perijove.access.errors import AccessError
from perijove.access.roles import RolePlan, plan_roles
from perijove.domain.errors import CallerError, ConfigError, PluginError
from perijove.domain.events import Message, Topic
from perijove.domain.ports import AuthenticatorPort
from perijove.domain.settings import GroupSpec, RoleSettings
from perijove.domain.users import User
from perijove.people import roles as people_roles
from perijove.people.grants import ROLES, Grants
from perijove.people.texts import checked_group_name, shown
from perijove.people.tokens import Tokens
from perijove.people.users import ADMIN_ROLE, USER_ROLE, Users, set_admin
from perijove.store import groups as group_store
from perijove.store import oauth as oauth_store
from perijove.store import roles as role_store
from perijove.store import servers as server_store
from perijove.store import services as service_store
from perijove.store import users as user_store
from perijove.store.engine import Database
from perijove.work.bus import Bus

log = logging.getLogger("perijove.people")


class Preparation:
    """Makes the database agree with the configuration, once per start."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        authenticator: AuthenticatorPort,
        users: Users,
        tokens: Tokens,
        grants: Grants,
        settings: RoleSettings,
        *,
        api_tokens: Mapping[str, str] | None = None,
        service_tokens: Mapping[str, str] | None = None,
    ) -> None:
        """``api_tokens`` and ``service_tokens`` map tokens to users and services."""
        self._database = database
        self._bus = bus
        self._authenticator = authenticator
        self._users = users
        self._tokens = tokens
        self._grants = grants
        self._settings = settings
        self._api_tokens = api_tokens or {}
        self._service_tokens = service_tokens or {}

    async def run(self) -> None:
        """Do it all. Raises ConfigError, whose message names the option and what is wrong."""
        rules = self._authenticator.rules
        definitions = await self._authenticator.managed_roles() if rules.manage_roles else []
        try:
            managed = people_roles.read_managed(definitions, self._grants.catalogue)
            await self._database.write(lambda c: self._load(c, managed))
        except CallerError as error:
            raise ConfigError(error.message) from error
        except AccessError as error:
            raise ConfigError(f"c.JupyterHub.load_roles: {error.message}") from error
        # Other replicas, and plug-ins that asked early, may remember how it was before.
        self._bus.publish(Message(Topic.CREDENTIALS, ROLES))
        await self._introduce_everybody()

    def _load(self, connection: Connection, managed: list[people_roles.Managed]) -> None:
        rules = self._authenticator.rules
        oauth_store.ensure_hub_client(connection)
        plan = self._plan(connection)
        if rules.manage_roles and rules.reset_managed_roles_on_startup:
            people_roles.reset_managed(connection, {spec.name for spec, _ in managed})
        people_roles.load_plan(connection, plan, self._make_users)
        self._load_users(connection)
        self._load_groups(connection)
        people_roles.load_managed(connection, managed, self._make_users)
        user_role = role_store.find(connection, USER_ROLE)
        assert user_role is not None
        role_store.give_to_everybody(connection, user_role.id)
        admin_spec = next(spec for spec in plan.roles if spec.name == ADMIN_ROLE)
        people_roles.settle_admins(connection, admin_spec, rules.admin_users, self._make_users)
        self._strip_blocked(connection)
        self._load_tokens(connection)

    def _plan(self, connection: Connection) -> RolePlan:
        services = {service.name for service in service_store.all_services(connection)}
        plan = plan_roles(
            self._settings.load_roles,
            self._grants.catalogue,
            extra_user_scopes=sorted(self._settings.extra_user_scopes),
            known_services=services,
            managed_by_auth=self._authenticator.rules.manage_roles,
        )
        for note in plan.notes:
            log.warning("c.JupyterHub.load_roles: %s", note)
        return plan

    def _load_users(self, connection: Connection) -> None:
        rules = self._authenticator.rules
        self._make_users(connection, sorted(rules.admin_users | rules.allowed_users))

    def _load_groups(self, connection: Connection) -> None:
        specs: Sequence[GroupSpec] = self._settings.load_groups
        if specs and self._authenticator.rules.manage_groups:
            raise ConfigError(
                "c.JupyterHub.load_groups cannot be used with c.Authenticator.manage_groups: "
                "the authenticator says who belongs to which group."
            )
        ids = group_store.create_missing(connection, [checked_group_name(g.name) for g in specs])
        for spec in specs:
            group_id = ids[spec.name]
            members = self._make_users(connection, spec.users)
            group_store.add_members(connection, group_id, members)
            if spec.properties is not None:
                group_store.set_properties(connection, group_id, dict(spec.properties))

    def _make_users(self, connection: Connection, names: Sequence[str]) -> Collection[int]:
        """The ids of people whom the configuration names; missing ones are made."""
        checked = list(dict.fromkeys(self._users.checked_name(name) for name in names))
        known = user_store.named(connection, checked)
        missing = [name for name in checked if name not in known]
        if missing:
            log.info("Users named by the configuration are created: %s", shown(missing, 20))
            for user in self._users.create_now(connection, missing):
                known[user.name] = user
        return [known[name].id for name in checked]

    def _strip_blocked(self, connection: Connection) -> None:
        blocked = user_store.named(connection, self._authenticator.rules.blocked_users)
        for user in blocked.values():
            had_roles = role_store.names_of(connection, "user", [user.id])
            set_admin(connection, user, False)
            role_store.clear_of(connection, "user", user.id)
            had_groups = group_store.set_of_user(connection, user.id, ())
            for server in server_store.of_user(connection, user.id):
                if server.active:
                    server_store.wish_down(connection, server.id)
            if had_roles or had_groups:
                log.warning(
                    "Blocked user %s loses roles, groups and running servers", shown([user.name])
                )

    def _load_tokens(self, connection: Connection) -> None:
        for secret, name in self._api_tokens.items():
            self._make_users(connection, [name])
            user = user_store.find(connection, self._users.checked_name(name))
            assert user is not None
            self._tokens.adopt_given(connection, secret, user)
        for secret, name in self._service_tokens.items():
            service = service_store.find(connection, name)
            assert service is not None, "the registry makes every service that has a token"
            self._tokens.adopt_given(connection, secret, service)

    async def _introduce_everybody(self) -> None:
        """Show every account to the authenticator's ``add_user``, as each start does."""
        for user in await self._database.read(user_store.everybody):
            try:
                await self._authenticator.add_user(user)
            except PluginError as error:
                await self._refused(user, error)

    async def _refused(self, user: User, error: PluginError) -> None:
        if not self._authenticator.rules.delete_invalid_users:
            log.warning(
                "%s does not take %s any more: %s. Delete the account by the API, or let "
                "c.Authenticator.delete_invalid_users do so",
                self._authenticator.class_name,
                shown([user.name]),
                error.detail,
            )
            return
        removed = await self._database.write(lambda c: user_store.remove(c, user.id))
        if removed:
            log.warning(
                "Deleted %s, whom the authenticator does not take any more", shown([user.name])
            )
        else:
            log.warning("Cannot delete %s while a server is active", shown([user.name]))
