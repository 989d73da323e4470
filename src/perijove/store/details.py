"""People with groups, roles and servers: one statement, however many people there are."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
    true,
)

from perijove.access.decide import EVERY_ROW, RowFilter
from perijove.domain.servers import ACTIVE, State
from perijove.domain.users import EVERYTHING, Parts, User, UserDetail, UserQuery
from perijove.store.dialect import is_among, names_of
from perijove.store.prepared import Prepared
from perijove.store.servers import COLUMNS as SERVER_COLUMNS
from perijove.store.servers import from_values as server_from_values
from perijove.store.tables import groups, memberships, roles, servers, user_roles, users
from perijove.store.users import COLUMNS as USER_COLUMNS
from perijove.store.users import from_row as user_from_row

_N_USER = len(USER_COLUMNS)
_SERVER_AT = _N_USER + 2

# Sub-selects, not EXISTS: few servers are active among many people, so the list of
# active ones is where to start from.
_ACTIVE = users.c.id.in_(select(servers.c.user_id).where(servers.c.state != State.STOPPED.value))
_READY = users.c.id.in_(
    select(servers.c.user_id).where(
        servers.c.state != State.STOPPED.value,  # names the index of active servers
        servers.c.state == State.READY.value,
        servers.c.checking.is_(False),
    )
)
STATES: dict[str, ColumnElement[bool]] = {"active": _ACTIVE, "ready": _READY, "inactive": ~_ACTIVE}
"""What the list's ``state`` parameter may be."""

MILE = 500
"""People from one milestone to the next."""

Milestones = tuple[int, ...]

SORTS: dict[str, Any] = {
    "id": users.c.id,
    "name": users.c.name,
    "last_activity": users.c.last_activity,
}
"""What a list may be sorted by; a ``-`` in front turns it round."""


def detail(connection: Connection, name: str, parts: Parts = EVERYTHING) -> UserDetail | None:
    """One person."""
    found = _details(_by_name(parts).all(connection, name=name))
    return found[0] if found else None


def details(connection: Connection, people: Sequence[User]) -> list[UserDetail]:
    """These people, in this order; whoever is gone is left out."""
    rows = _BY_NAMES.all(connection, names=[user.name for user in people])
    found = {made.user.id: made for made in _details(rows)}
    return [found[user.id] for user in people if user.id in found]


def page(
    connection: Connection,
    query: UserQuery,
    rows: RowFilter = EVERY_ROW,
    parts: Parts = EVERYTHING,
    milestones: Milestones = (),
) -> list[UserDetail]:
    """One page of the people that ``rows`` lets the caller see.

    ``milestones`` may be given where ``uses_milestones`` says so. Raises KeyError for an
    unknown ``state`` or ``sort``.
    """
    values, offset = _values(query, rows), query.offset
    passed = min(len(milestones), offset // MILE)
    if passed:
        values["behind"] = milestones[passed - 1]
        offset -= passed * MILE
    statement = _page(
        query.state, bool(query.name_filter), query.sort, rows.all, bool(passed), parts
    )
    return _details(statement.all(connection, limit=query.limit, offset=offset, **values))


def uses_milestones(query: UserQuery, rows: RowFilter) -> bool:
    """Whether a page is cheaper with ``milestones``: it lies deep in the list of everybody."""
    plain = query.sort == "id" and query.state is None and not query.name_filter and rows.all
    return plain and query.offset >= MILE


def milestones(connection: Connection, known: Milestones, offset: int) -> Milestones:
    """The ids of every ``MILE``-th person up to ``offset``, of which the ``known`` are the first.

    A database steps over all whom an OFFSET leaves out; behind a milestone it need not.
    They are true until somebody comes or goes.
    """
    found = list(known)
    while (len(found) + 1) * MILE <= offset:
        row = _NEXT_MILESTONE.first(connection, behind=found[-1] if found else 0)
        if row is None:
            break
        found.append(row[0])
    return tuple(found)


def count(connection: Connection, query: UserQuery, rows: RowFilter = EVERY_ROW) -> int:
    """How many people are on all pages together."""
    statement = _count(query.state, bool(query.name_filter), rows.all)
    row = statement.first(connection, **_values(query, rows))
    assert row is not None
    return int(row[0])


def _details(rows: Sequence[Sequence[Any]]) -> list[UserDetail]:
    """Rows of people, each person as often as they have servers, put together."""
    made: list[UserDetail] = []
    at, end = 0, len(rows)
    while at < end:
        first = rows[at]
        user = user_from_row(first)
        owned = []
        while at < end and rows[at][0] == user.id:
            row = rows[at]
            if len(row) > _SERVER_AT and row[_SERVER_AT] is not None:
                owned.append(server_from_values(row[_SERVER_AT:], user.name))
            at += 1
        made.append(UserDetail(user, first[_N_USER] or (), first[_N_USER + 1] or (), tuple(owned)))
    return made


def _select(people: FromClause, parts: Parts) -> Select[Any]:
    """``USER_COLUMNS`` of ``people``, names of groups and roles, and servers if wanted."""
    in_groups = (
        select(groups.c.name)
        .join(memberships, memberships.c.group_id == groups.c.id)
        .where(memberships.c.user_id == people.c.id)
        .order_by(groups.c.name)
    )
    held = (
        select(roles.c.name)
        .join(user_roles, user_roles.c.role_id == roles.c.id)
        .where(user_roles.c.user_id == people.c.id)
        .order_by(user_roles.c.role_id)  # as the index has them: nothing is left to sort
    )
    columns = (
        *(people.c[column.name] for column in USER_COLUMNS),
        names_of(in_groups) if parts.groups else null(),
        names_of(held) if parts.roles else null(),
    )
    if parts.servers == "none":
        return select(*columns)
    theirs = servers.c.user_id == people.c.id
    if parts.servers == "active":
        # Not "!= stopped": SQLite would start from the index of all active servers.
        theirs = and_(theirs, or_(*(servers.c.state == state for state in sorted(ACTIVE))))
    return select(*columns, *SERVER_COLUMNS).outerjoin_from(people, servers, theirs)


def _in_order(statement: Select[Any], parts: Parts, *keys: Any) -> Select[Any]:
    return statement.order_by(*keys, *(() if parts.servers == "none" else (servers.c.id,)))


@lru_cache
def _by_name(parts: Parts) -> Prepared:
    statement = _select(users, parts).where(users.c.name == bindparam("name"))
    return Prepared(_in_order(statement, parts))


_BY_NAMES = Prepared(
    _in_order(_select(users, EVERYTHING), EVERYTHING, users.c.id).where(
        is_among(users.c.name, "names")
    )
)


_NEXT_MILESTONE = Prepared(
    select(users.c.id)
    .where(users.c.id > bindparam("behind"))
    .order_by(users.c.id)
    .limit(1)
    .offset(MILE - 1)
)


@lru_cache(maxsize=256)
def _page(
    state: str | None, named: bool, sort: str, everybody: bool, behind: bool, parts: Parts
) -> Prepared:
    """The statement for pages of this kind; ``behind``: only who comes after one person."""
    chosen = (
        select(*USER_COLUMNS)
        .where(*_conditions(state, named, everybody))
        .where(users.c.id > bindparam("behind") if behind else true())
        .order_by(*_order(users, sort))
        .limit(bindparam("limit", type_=BigInteger()))
        .offset(bindparam("offset", type_=BigInteger()))
        .subquery("page")
    )
    return Prepared(_in_order(_select(chosen, parts), parts, *_order(chosen, sort)))


@lru_cache
def _count(state: str | None, named: bool, everybody: bool) -> Prepared:
    counting = select(func.count()).select_from(users)
    return Prepared(counting.where(*_conditions(state, named, everybody)))


def _order(people: FromClause, sort: str) -> tuple[Any, ...]:
    column = people.c[SORTS[sort.removeprefix("-")].name]
    descending = sort.startswith("-")
    order = column.desc() if descending else column.asc()
    if column.name == "id":
        return (order,)
    if column.name == "last_activity":
        # Never seen is longest ago. Other columns have no NULLs, and an index serves them as it is.
        order = order.nulls_last() if descending else order.nulls_first()
    return (order, people.c.id)


def _conditions(state: str | None, named: bool, everybody: bool) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if state is not None:
        where.append(STATES[state])
    if named:
        where.append(func.lower(users.c.name).like(bindparam("pattern"), escape="/"))
    if not everybody:
        member = users.c.id.in_(
            select(memberships.c.user_id)
            .join(groups, groups.c.id == memberships.c.group_id)
            .where(is_among(groups.c.name, "visible_groups"))
        )
        where.append(or_(is_among(users.c.name, "visible_users"), member))
    return where


def _values(query: UserQuery, rows: RowFilter) -> dict[str, Any]:
    """The parameters of ``_conditions``."""
    values: dict[str, Any] = {}
    if query.name_filter:
        escaped = query.name_filter.lower()
        for special in "/%_":
            escaped = escaped.replace(special, f"/{special}")
        values["pattern"] = f"%{escaped}%"
    if not rows.all:
        values.update(visible_users=rows.users, visible_groups=rows.groups)
    return values
