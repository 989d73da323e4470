"""Groups: who belongs to them, and what operators keep with them.

Membership changes what people may do, and what others may do to them, so every
change is told over the bus. Who may change what is decided by the caller of
these functions (``access.decide_membership``).
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from perijove.domain.errors import Conflict, InvalidInput, NotFound
from perijove.domain.events import Message, Topic
from perijove.domain.groups import Group
from perijove.domain.ports import AuthenticatorPort
from perijove.people.grants import MEMBERS, ROLES
from perijove.people.texts import MAX_NAME_LENGTH, checked_group_name, checked_text, shown, storable
from perijove.store import groups as group_store
from perijove.store import users as user_store
from perijove.store.engine import Database
from perijove.work.bus import Bus


class Groups:
    """The hub's groups."""

    def __init__(self, database: Database, bus: Bus, authenticator: AuthenticatorPort) -> None:
        self._database = database
        self._bus = bus
        self._authenticator = authenticator

    async def get(self, name: str) -> Group:
        """The group with members and roles. Raises NotFound."""
        _require_storable(name)
        group = await self._database.read(lambda c: group_store.find(c, name))
        if group is None:
            raise NotFound
        return group

    async def page(
        self, offset: int, limit: int, names: frozenset[str] | None = None
    ) -> tuple[list[Group], int]:
        """Groups by age, and how many there are; ``names`` bounds them, None: all."""
        return await self._database.read(lambda c: group_store.page(c, offset, limit, names))

    async def create(self, names: Sequence[str], users: Sequence[str] = ()) -> list[Group]:
        """New groups, all with the same members, or none.

        Raises InvalidInput for bad names and unknown people, Conflict when one exists.
        """
        made, _ = await self._create(names, users, existing_ok=False)
        return made

    async def ensure(
        self, names: Sequence[str], users: Sequence[str] = ()
    ) -> tuple[list[Group], bool]:
        """The groups of these names, and whether one had to be made; those have the members.

        Raises InvalidInput for bad names and unknown people.
        """
        try:
            return await self._create(names, users, existing_ok=True)
        except Conflict:
            # Another request made one of them at the same time; now that group is known.
            return await self._create(names, users, existing_ok=True)

    async def _create(
        self, names: Sequence[str], users: Sequence[str], *, existing_ok: bool
    ) -> tuple[list[Group], bool]:
        wanted = list(dict.fromkeys(checked_group_name(name) for name in names))
        if not wanted:
            raise InvalidInput("Must specify at least one group to create")
        people = self._normalized(users)

        def make(connection: Connection) -> tuple[list[Group], bool, list[int]]:
            ids = _ids_of(connection, people)
            existing = group_store.ids(connection, wanted)
            if existing and not existing_ok:
                raise Conflict(f"Group {shown(sorted(existing))} already exists")
            new = [name for name in wanted if name not in existing]
            for name in new:
                group_store.add_members(connection, group_store.create(connection, name), ids)
            found = [group_store.find(connection, name) for name in wanted]
            return [group for group in found if group is not None], bool(new), ids

        try:
            groups, made, ids = await self._database.write(make)
        except IntegrityError as error:
            raise Conflict(f"Group {shown(wanted)} already exists") from error
        if made:
            self._tell(ids)
        return groups, made

    async def delete(self, name: str) -> None:
        """Delete a group. Raises NotFound."""
        _require_storable(name)

        def remove(connection: Connection) -> list[int]:
            group = group_store.find(connection, name)
            if group is None:
                raise NotFound
            members = user_store.named(connection, group.users)
            group_store.remove(connection, group.id)
            return [user.id for user in members.values()]

        self._tell(await self._database.write(remove))
        self._publish(ROLES)

    async def add(self, name: str, users: Sequence[str]) -> Group:
        """Put people into a group; who is in already stays.

        Raises NotFound for the group, InvalidInput for unknown people.
        """
        return await self._change_members(name, users, add=True)

    async def remove(self, name: str, users: Sequence[str]) -> Group:
        """Take people out of a group; who is not in it is no error.

        Raises NotFound for the group, InvalidInput for unknown people.
        """
        return await self._change_members(name, users, add=False)

    async def _change_members(self, name: str, users: Sequence[str], *, add: bool) -> Group:
        _require_storable(name)
        people = self._normalized(users)

        def change(connection: Connection) -> tuple[Group, list[int]]:
            group = group_store.find(connection, name)
            if group is None:
                raise NotFound
            ids = _ids_of(connection, people)
            if add:
                group_store.add_members(connection, group.id, ids)
            else:
                group_store.remove_members(connection, group.id, ids)
            changed = group_store.find(connection, name)
            return changed or group, ids

        group, ids = await self._database.write(change)
        self._tell(ids)
        return group

    async def set_properties(self, name: str, properties: dict[str, Any]) -> Group:
        """Replace a group's properties. Raises NotFound."""
        _require_storable(name)

        def change(connection: Connection) -> Group:
            group = group_store.find(connection, name)
            if group is None:
                raise NotFound
            group_store.set_properties(connection, group.id, properties)
            return group_store.find(connection, name) or group

        return await self._database.write(change)

    def _normalized(self, users: Sequence[str]) -> list[str]:
        checked = (checked_text(name, "The name of a user", MAX_NAME_LENGTH) for name in users)
        return list(dict.fromkeys(self._authenticator.normalize(name) for name in checked))

    def _tell(self, user_ids: Sequence[int]) -> None:
        if user_ids:
            self._publish(MEMBERS, *(f"user:{user_id}" for user_id in user_ids))

    def _publish(self, *keys: str) -> None:
        for key in keys:
            self._bus.publish(Message(Topic.CREDENTIALS, key))


def _require_storable(name: str) -> None:
    if not storable(name):
        raise NotFound


def _ids_of(connection: Connection, names: Sequence[str]) -> list[int]:
    """The ids of these people. Raises InvalidInput when one does not exist."""
    found = user_store.named(connection, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise InvalidInput(f"No such user: {shown(missing)}")
    return [found[name].id for name in names]
