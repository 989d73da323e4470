"""What is over goes, some at a time, and nothing else: on both databases."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import Connection, func, insert, select

from perijove.domain.tokens import HUB_CLIENT, OAuthClient
from perijove.kit.clock import RealClock
from perijove.people import purge
from perijove.store import oauth, purging, servers, tables, users
from perijove.store.engine import Database

PAST = datetime.now(UTC) - timedelta(days=1)
FUTURE = datetime.now(UTC) + timedelta(days=1)
COUNT = 1_203


def count(database: Database, table: str) -> int:
    return database.read_now(
        lambda c: c.execute(
            select(func.count()).select_from(tables.metadata.tables[table])
        ).scalar_one()
    )


def fill(connection: Connection) -> None:
    """Of everything that ends by itself many that are over, one that is not, one without end."""
    oauth.ensure_hub_client(connection)
    (ada,) = users.create(connection, ["ada"], PAST)
    server = servers.create(connection, ada.id, "lab")
    ends = [*[PAST] * COUNT, FUTURE, None]
    common = {"user_id": ada.id, "client_id": HUB_CLIENT, "scopes": ["inherit"]}
    for table, row in (
        ("tokens", lambda n: {**common, "hashed": f"t{n}", "created": PAST}),
        ("sessions", lambda n: {"id": f"s{n}", "user_id": ada.id, "created": PAST}),
        (
            "share_codes",
            lambda n: {"server_id": server, "hashed": f"c{n}", "scopes": [], "created": PAST},
        ),
    ):
        rows = [{**row(n), "expires_at": end} for n, end in enumerate(ends)]
        connection.execute(insert(tables.metadata.tables[table]), rows)
    codes = [
        {**common, "code": f"o{n}", "redirect_uri": "/cb", "expires_at": end}
        for n, end in enumerate([*[PAST] * COUNT, FUTURE])
    ]
    connection.execute(insert(tables.oauth_codes), codes)
    guests = users.create(connection, [f"guest{n}" for n in range(3)], PAST)
    shares = [
        {
            "server_id": server,
            "user_id": guest.id,
            "scopes": [],
            "created": PAST,
            "expires_at": end,
        }
        for guest, end in zip(guests, (PAST, FUTURE, None), strict=True)
    ]
    connection.execute(insert(tables.shares), shares)


def test_everything_that_is_over_goes_in_bounded_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.write_now(fill)
    steps: list[int] = []

    def noting(delete: Callable[..., int]) -> Callable[..., int]:
        def step(connection: Connection, now: datetime, limit: int) -> int:
            steps.append(delete(connection, now, limit))
            return steps[-1]

        return step

    monkeypatch.setattr(purging, "EXPIRED", tuple(map(noting, purging.EXPIRED)))
    gone = asyncio.run(purge.purge_expired(database, RealClock()))
    assert gone == 4 * COUNT + 1
    assert max(steps) <= purge.BATCH
    assert [count(database, name) for name in ("tokens", "sessions", "share_codes")] == [2, 2, 2]
    assert (count(database, "oauth_codes"), count(database, "shares")) == (1, 2)


def test_a_backlog_is_not_worked_off_at_one_go(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.write_now(fill)
    monkeypatch.setattr(purge, "BATCH", 100)
    monkeypatch.setattr(purge, "MOST_BATCHES", 3)
    assert asyncio.run(purge.purge_expired(database, RealClock())) == 4 * 300 + 1
    assert count(database, "tokens") == COUNT + 2 - 300


def add_client(connection: Connection, identifier: str) -> None:
    oauth.save_client(connection, OAuthClient(identifier, "", "hash", "/cb", ()))


def test_clients_of_deleted_servers_go_with_their_tokens(database: Database) -> None:
    def prepare(connection: Connection) -> None:
        oauth.ensure_hub_client(connection)
        (ada, bob) = users.create(connection, ["ada", "bob"], PAST)
        for user in (ada, bob):
            server = servers.create(connection, user.id, "lab")
            identifier = f"jupyterhub-user-{user.name}-lab"
            add_client(connection, identifier)
            servers.edit(connection, server, oauth_client_id=identifier)
            row = {"user_id": bob.id, "client_id": identifier, "scopes": [], "created": PAST}
            connection.execute(insert(tables.tokens), [{**row, "hashed": identifier}])
        users.remove(connection, ada.id)

    database.write_now(prepare)
    gone, ended = database.write_now(lambda c: purging.stray_clients(c, 10))
    assert gone == 1
    assert len(ended) == 1
    assert database.read_now(lambda c: oauth.find_client(c, "jupyterhub-user-bob-lab"))
    assert database.read_now(lambda c: oauth.find_client(c, HUB_CLIENT))
    assert count(database, "tokens") == 1
    assert database.write_now(lambda c: purging.stray_clients(c, 10)) == (0, [])


def test_a_client_that_is_being_registered_is_no_stray(database: Database) -> None:
    def prepare(connection: Connection) -> int:
        oauth.ensure_hub_client(connection)
        (ada,) = users.create(connection, ["ada"], PAST)
        add_client(connection, "jupyterhub-user-ada-lab")
        return servers.create(connection, ada.id, "lab")

    server_id = database.write_now(prepare)
    gate = Barrier(2)

    def start(connection: Connection) -> None:
        add_client(connection, "jupyterhub-user-ada-lab")
        servers.edit(connection, server_id, oauth_client_id="jupyterhub-user-ada-lab")
        if not database.sqlite:
            gate.wait(10)  # now the other one looks, and must leave the row alone
            gate.wait(10)

    starting = Thread(target=database.write_now, args=(start,))
    starting.start()
    if database.sqlite:
        starting.join()
    else:
        gate.wait(10)
    try:
        assert database.write_now(lambda c: purging.stray_clients(c, 10)) == (0, [])
    finally:
        if not database.sqlite:
            gate.wait(10)
        starting.join()
    assert database.read_now(lambda c: oauth.find_client(c, "jupyterhub-user-ada-lab"))
