"""Statements on the driver itself: as Core would have done it, errors included."""

import pytest
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from perijove.store.engine import Database
from perijove.store.prepared import Prepared
from perijove.store.tables import roles

ADD = Prepared(
    insert(roles)
    .values(name=bindparam("name"), scopes=bindparam("scopes"), managed_by_auth=True)
    .returning(roles.c.name, roles.c.scopes, roles.c.managed_by_auth)
)
CHANGE = Prepared(
    update(roles).where(roles.c.name == bindparam("_name")).values(scopes=bindparam("scopes"))
)
REMOVE = Prepared(delete(roles).where(roles.c.name == bindparam("name")))
READ = Prepared(select(roles.c.scopes).where(roles.c.name == bindparam("name")))


@pytest.fixture(params=[False, True], ids=["quiet", "echo"])
def spoken(database: Database, request: pytest.FixtureRequest) -> Database:
    """A database whose statements are logged, or not: then Core runs them."""
    database.engine.echo = request.param
    return database


def test_rows_that_were_written_come_back_as_values(spoken: Database) -> None:
    added = spoken.write_now(lambda c: ADD.first(c, name="r", scopes=["self"]))
    assert added is not None
    assert list(added) == ["r", ["self"], True]
    assert spoken.write_now(lambda c: CHANGE.run(c, _name="r", scopes=[])) == 1
    assert spoken.write_now(lambda c: CHANGE.run(c, _name="absent", scopes=[])) == 0
    assert [list(row) for row in spoken.read_now(lambda c: READ.all(c, name="r"))] == [[[]]]
    assert spoken.write_now(lambda c: REMOVE.run(c, name="r")) == 1
    assert spoken.read_now(lambda c: READ.first(c, name="r")) is None


def test_an_error_is_the_one_that_core_raises(spoken: Database) -> None:
    def twice(connection: Connection) -> None:
        ADD.first(connection, name="r", scopes=[])
        ADD.first(connection, name="r", scopes=[])

    with pytest.raises(IntegrityError):
        spoken.write_now(twice)
    assert spoken.read_now(lambda c: READ.first(c, name="r")) is None
