"""Sign-in: from the authenticator's answer to a person who is signed in.

Everything that the answer says is stored in one transaction: the account,
admin, profile, groups, roles, auth_state, and the session. Who reads the
database sees all of it or nothing.

A person new to the hub is shown to ``add_user`` afterwards, since that is the
plug-in's code and may take its time; if it refuses, the account goes again.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from perijove.domain.errors import InvalidInput, NotFound, PluginError
from perijove.domain.events import Message, Topic
from perijove.domain.ports import AuthenticatorPort, AuthModel
from perijove.domain.users import User
from perijove.kit import jsons
from perijove.people.activity import Activity
from perijove.people.auth_state import AuthStates
from perijove.people.grants import MEMBERS, ROLES, Grants
from perijove.people.roles import Managed, read_managed, set_roles_of_user
from perijove.people.sessions import Sessions, SignedIn
from perijove.people.texts import MAX_NAME_LENGTH, checked_group_name, checked_text, shown
from perijove.people.users import ADMIN_ROLE, Users, set_admin
from perijove.store import groups as group_store
from perijove.store import sessions as session_store
from perijove.store import users as user_store
from perijove.store.engine import Database
from perijove.work.bus import Bus

log = logging.getLogger("perijove.login")


@dataclass(frozen=True, slots=True)
class _Facts:
    """An authenticator's answer, checked and ready to be stored."""

    model: AuthModel
    groups: tuple[str, ...] | None
    roles: list[Managed] | None
    stores_auth_state: bool
    auth_state: bytes | None


@dataclass(frozen=True, slots=True)
class _Stored:
    user: User
    new: bool
    regrouped: bool
    rerolled: bool
    session_id: str | None


class SignIn:
    """Turns answers of the authenticator into accounts and sessions."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        authenticator: AuthenticatorPort,
        *,
        users: Users,
        sessions: Sessions,
        grants: Grants,
        activity: Activity,
        auth_states: AuthStates,
    ) -> None:
        self._database = database
        self._bus = bus
        self._authenticator = authenticator
        self._users = users
        self._sessions = sessions
        self._grants = grants
        self._activity = activity
        self._auth_states = auth_states

    async def sign_in(self, model: AuthModel) -> SignedIn:
        """Store what the authenticator said and open a session for that person.

        The session id is a new one, whatever the browser had. Raises InvalidInput
        for a name nobody may have, Conflict for roles that cannot be used, and
        PluginError when ``add_user`` or a hook refuses; nothing is left then.
        """
        stored = await self._accept(model, with_session=True)
        return SignedIn(stored.user, stored.session_id)

    async def authenticated(self, model: AuthModel) -> User:
        """``sign_in`` for callers that need no session, such as a request for a token."""
        return (await self._accept(model, with_session=False)).user

    async def apply(self, model: AuthModel) -> User:
        """Store new facts about a person who is known, as a refresh brings them.

        Raises NotFound when the account is gone.
        """
        facts = await self._facts(model)
        stored = await self._database.write(lambda c: self._store(c, facts, may_create=False))
        self._publish(stored)
        return stored.user

    async def _accept(self, model: AuthModel, *, with_session: bool) -> _Stored:
        facts = await self._facts(model)

        def store(connection: Connection) -> _Stored:
            return self._store(connection, facts, with_session=with_session)

        try:
            stored = await self._database.write(store)
        except IntegrityError:
            # Two first sign-ins of one person at once: the other one made the account.
            stored = await self._database.write(store)
        if stored.new:
            try:
                await self._authenticator.add_user(stored.user)
            except PluginError:
                await self._database.write(lambda c: user_store.remove(c, stored.user.id))
                raise
        self._publish(stored)
        self._activity.note_user(stored.user.id)
        return stored

    async def _facts(self, model: AuthModel) -> _Facts:
        rules = self._authenticator.rules
        checked_text(model.name, "The name of a user", MAX_NAME_LENGTH)
        if not self._authenticator.is_valid(model.name):
            raise InvalidInput(f"Invalid username: {shown([model.name])}")
        try:
            model = replace(model, user_info=jsons.packed(model.user_info))
        except ValueError as error:
            raise PluginError(
                self._authenticator.class_name, "authenticate", f"user_info is no JSON: {error}"
            ) from error
        groups = roles = None
        if model.groups is not None:
            if rules.manage_groups:
                groups = self._usable(model.groups)
            else:
                log.warning(
                    "%s answered with groups, which are ignored without "
                    "c.Authenticator.manage_groups = True",
                    self._authenticator.class_name,
                )
        if model.roles is not None and rules.manage_roles:
            roles = read_managed(model.roles, self._grants.catalogue)
        stores, sealed = await self._auth_state(model)
        return _Facts(model, groups, roles, stores, sealed)

    def _usable(self, names: Iterable[object]) -> tuple[str, ...]:
        """The groups that can exist; one odd name at the provider must keep nobody out."""
        groups: dict[str, None] = {}
        for name in names:
            try:
                groups[checked_group_name(name)] = None
            except InvalidInput as error:
                plugin = self._authenticator.class_name
                log.warning("%s: a group is left out: %s: %.80a", plugin, error.message, name)
        return tuple(groups)

    async def _auth_state(self, model: AuthModel) -> tuple[bool, bytes | None]:
        """Whether auth_state is written, and what; without the option it is wiped."""
        if not self._authenticator.rules.enable_auth_state:
            return True, None
        known = await self._database.read(lambda c: user_store.find(c, model.name))
        existing: dict[str, Any] | None = await self._auth_states.get(known) if known else None
        if not model.has_auth_state:
            return False, None
        wanted = await self._authenticator.reconcile_auth_state(model, existing)
        try:
            return True, self._auth_states.seal(wanted)
        except InvalidInput as error:
            raise PluginError(
                self._authenticator.class_name, "authenticate", error.message
            ) from error

    def _store(
        self,
        connection: Connection,
        facts: _Facts,
        *,
        may_create: bool = True,
        with_session: bool = False,
    ) -> _Stored:
        model = facts.model
        user = user_store.find(connection, model.name)
        new = user is None
        if user is None:
            if not may_create:
                raise NotFound
            (user,) = self._users.create_now(connection, [model.name])
        values: dict[str, Any] = {}
        if model.user_info is not None:
            values["user_info"] = model.user_info
        if facts.stores_auth_state:
            values["encrypted_auth_state"] = facts.auth_state
        if values:
            user_store.change(connection, user.id, **values)
        admin = _is_admin(facts, user)
        if admin != user.admin:
            set_admin(connection, user, admin)
            turn = "now" if admin else "no longer"
            log.info("%s is %s an admin, as the authenticator says", shown([user.name]), turn)
        regrouped = facts.groups is not None and group_store.set_of_user(
            connection, user.id, facts.groups
        )
        if facts.roles is not None:
            set_roles_of_user(connection, user, facts.roles)
        session_id = None
        if with_session:
            session = self._sessions.new_session(user.id)
            session_store.create(connection, session)
            session_id = session.id
        stored = user_store.get(connection, user.id)
        assert stored is not None
        return _Stored(stored, new, regrouped, facts.roles is not None, session_id)

    def _publish(self, stored: _Stored) -> None:
        keys = [f"user:{stored.user.id}"]
        if stored.regrouped or stored.new:
            keys.append(MEMBERS)
        if stored.rerolled:
            keys.append(ROLES)
        for key in keys:
            self._bus.publish(Message(Topic.CREDENTIALS, key))


def _is_admin(facts: _Facts, user: User) -> bool:
    """What the answer makes of the person; managed roles without ``admin`` take it away."""
    if facts.roles is not None and any(spec.name == ADMIN_ROLE for spec, _ in facts.roles):
        return True
    if facts.model.admin is not None:
        return facts.model.admin
    return user.admin and facts.roles is None
