"""Lists cost as many statements for many entries as for few, on both databases."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from sqlalchemy import Connection
from web_house import WebHouse

from perijove.domain.events import Message, Topic
from perijove.domain.tokens import OAuthClient
from perijove.domain.users import Service, User
from perijove.people.grants import ROLES
from perijove.store import groups, oauth, roles, servers, services, shares, tokens
from perijove.store.engine import Database

FEW, MANY = 3, 12


@pytest.fixture
async def house(tmp_path: Path, database_url: str) -> AsyncIterator[WebHouse]:
    """A hub on either database, with the owner ``ada``."""
    made = await WebHouse.open(tmp_path, f"c.JupyterHub.db_url = {database_url!r}\n")
    await made.add_user("ada")
    yield made
    await made.close()


@contextmanager
def noted(database: Database) -> Iterator[list[str]]:
    """The statements that reach the database meanwhile."""
    seen: list[str] = []
    if database.sqlite:

        def trace(to: Any) -> None:
            def set_trace(connection: Connection) -> None:
                driver: Any = connection.connection.driver_connection
                driver.set_trace_callback(to)

            database.read_now(set_trace)

        trace(seen.append)
        yield seen
        trace(None)
        return
    execute = psycopg.Cursor.execute

    def note(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(str(query))
        return execute(cursor, query, *args, **kwargs)

    with patch.object(psycopg.Cursor, "execute", note):
        yield seen


async def fill(house: WebHouse, first: int, end: int) -> None:
    """Of everything that lists show, the entries of these numbers."""
    ada = await house.rooms.users.find("ada")
    assert ada is not None
    people = [await house.add_user(f"u{number:02d}") for number in range(first, end)]

    def write(connection: Connection) -> None:
        for number, person in zip(range(first, end), people, strict=True):
            add_one(connection, number, ada, person)

    await house.database.write(write)


def add_one(connection: Connection, number: int, ada: User, person: User) -> None:
    now = ada.created
    group = groups.create(connection, f"g{number:02d}")
    groups.add_members(connection, group, [ada.id, person.id])
    role = roles.save(connection, f"some-role-{number:02d}", "", ["read:users!user"])
    roles.give(connection, "group", role, [group])
    service = services.save(connection, Service(0, f"s{number:02d}", url="http://127.0.0.1:9"))
    roles.give(connection, "service", role, [service.id])
    server_id = servers.create(connection, ada.id, f"lab{number:02d}")
    client_id = f"client-{number:02d}"
    oauth.save_client(connection, OAuthClient(client_id, "", "", "/", ("self",)))
    servers.edit(connection, server_id, oauth_client_id=client_id)
    shares.grant(connection, server_id, ["access:servers"], user_id=person.id, now=now)
    shares.create_code(connection, server_id, f"hash-{number}", ["access:servers"], now, None)
    theirs = servers.of_user(connection, person.id)[0]
    shares.grant(connection, theirs.id, ["access:servers"], user_id=ada.id, now=now)
    tokens.create(
        connection,
        hashed=f"token-{number}",
        user_id=ada.id,
        client_id=client_id,
        scopes=["read:users!user", "read:groups!group=g00"],
        now=now,
    )


async def cost(house: WebHouse, path: str) -> tuple[int, list[str]]:
    """How long the answer is, and what it took of the database when nothing is remembered."""
    house.rooms.grants._told.clear()
    house.built.ground.bus.publish(Message(Topic.CREDENTIALS, ROLES))
    with noted(house.database) as seen:
        answer = await house.root.get(path)
    assert answer.status_code == 200, answer.text
    # On PostgreSQL an empty one asks whether a pooled connection still lives, and what this
    # room tells other replicas goes out by itself.
    own = [text for text in seen if text.strip(" ;") and "pg_notify" not in text]
    return len(answer.content), own


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/users", 1),
        ("/users?include_stopped_servers=1", 1),
        ("/users?sort=name&state=inactive", 1),
        ("/users/ada?include_stopped_servers=1", 2),
        ("/groups", 4),
        ("/services", 2),
        ("/users/ada/tokens", 10),
        ("/shares/ada", 3),
        ("/users/ada/shared", 3),
        ("/share-codes/ada", 3),
    ],
)
async def test_a_list_takes_the_same_statements_however_long_it_is(
    house: WebHouse, path: str, most: int
) -> None:
    await house.root.get("/info")  # the caller is looked up as well, each time alike
    await fill(house, 0, FEW)
    short, few = await cost(house, path)
    await fill(house, FEW, MANY)
    long, many = await cost(house, path)
    assert long > short + 9 * (MANY - FEW)
    assert len(many) == len(few), "\n".join(many)
    base = len((await cost(house, "/info"))[1])
    assert len(many) - base <= most, "\n".join(many)
