"""What a person's rights are made of, read in one statement: roles, groups, shares.

Nearly nobody has been given a share, so only whether there are any is asked at first.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from perijove.store import shares as share_store
from perijove.store.dialect import names_of
from perijove.store.prepared import Prepared
from perijove.store.roles import HELD_BY_USER
from perijove.store.tables import groups, memberships, roles, shares

_COLUMNS: tuple[Any, ...] = (
    names_of(select(roles.c.scopes.label("name")).where(HELD_BY_USER)),
    names_of(
        select(groups.c.name)
        .join(memberships, memberships.c.group_id == groups.c.id)
        .where(memberships.c.user_id == bindparam("user_id"))
    ),
    select(shares.c.id).where(share_store.received_by(bindparam("user_id"))).exists(),
)
_RIGHTS = Prepared(select(*_COLUMNS))


@dataclass(frozen=True, slots=True)
class Rights:
    """Scopes as written: of all roles held, and of shares received; and the names of groups."""

    role_scopes: Sequence[str]
    share_scopes: Sequence[str]
    groups: frozenset[str]


def of_user(connection: Connection, user_id: int, now: datetime) -> Rights:
    """The rights of a person; of shares those that are not over ``now``."""
    row = _RIGHTS.first(connection, user_id=user_id)
    assert row is not None
    written, names, shared = row
    received = share_store.received(connection, user_id, now) if shared else []
    return Rights(
        [scope for scopes in written for scope in json.loads(scopes)],
        [scope for share in received for scope in share.scopes],
        frozenset(names),
    )
