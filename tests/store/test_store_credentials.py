"""Statements about tokens, OAuth clients and codes, services and shares."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from perijove.domain.tokens import HUB_CLIENT, ClientOwner, OAuthClient, OAuthCode, Token
from perijove.domain.users import Service, User
from perijove.store import groups, oauth, purging, servers, services, shares, tokens, users
from perijove.store.engine import Database
from perijove.store.shares import ShareQuery
from perijove.store.tables import servers as server_table
from perijove.store.tables import tokens as token_table

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SOON = NOW + timedelta(minutes=5)


@pytest.fixture
def people(database: Database) -> tuple[User, User]:
    def fill(connection: Connection) -> tuple[User, User]:
        oauth.ensure_hub_client(connection)
        ada, bob = users.create(connection, ["ada", "bob"], NOW)
        return ada, bob

    return database.write_now(fill)


def add_token(
    database: Database,
    hashed: str,
    owner: User | Service,
    *,
    client_id: str = HUB_CLIENT,
    scopes: tuple[str, ...] = ("inherit",),
    expires_at: datetime | None = None,
    session_id: str | None = None,
) -> Token:
    return database.write_now(
        lambda c: tokens.create(
            c,
            hashed=hashed,
            user_id=owner.id if isinstance(owner, User) else None,
            service_id=owner.id if isinstance(owner, Service) else None,
            client_id=client_id,
            scopes=scopes,
            now=NOW,
            expires_at=expires_at,
            session_id=session_id,
        )
    )


def add_client(database: Database, identifier: str) -> OAuthClient:
    client = OAuthClient(identifier, f"about {identifier}", "hash", "/cb", ("inherit",))
    database.write_now(lambda c: oauth.save_client(c, client))
    return client


# -- tokens -----------------------------------------------------------------------
def test_token_is_found_by_hash_with_its_owner(
    database: Database, people: tuple[User, User]
) -> None:
    service = database.write_now(lambda c: services.save(c, Service(0, "svc", info={"a": 1})))
    add_token(database, "h1", people[0], scopes=("read:users!user",), expires_at=SOON)
    add_token(database, "h2", service)
    mine = database.read_now(lambda c: tokens.find(c, "h1"))
    its = database.read_now(lambda c: tokens.find(c, "h2"))
    assert mine is not None
    assert its is not None
    assert mine.owner == people[0]
    assert (mine.token.scopes, mine.token.expires_at) == (("read:users!user",), SOON)
    assert its.owner == service
    assert database.read_now(lambda c: tokens.find(c, "absent")) is None


def test_a_token_has_exactly_one_owner(database: Database, people: tuple[User, User]) -> None:
    with pytest.raises(IntegrityError):
        database.write_now(
            lambda c: tokens.create(c, hashed="h", client_id=HUB_CLIENT, scopes=(), now=NOW)
        )


def test_list_leaves_out_expired_tokens_and_others_and_names_the_client(
    database: Database, people: tuple[User, User]
) -> None:
    ada, bob = people
    add_client(database, "service-app")
    first = add_token(database, "h1", ada)
    add_token(database, "h2", ada, expires_at=NOW)
    add_token(database, "h3", bob)
    last = add_token(database, "h4", ada, client_id="service-app", expires_at=SOON)
    database.write_now(lambda c: tokens.touch(c, [(first.id, SOON)]))
    listed = database.read_now(lambda c: tokens.of_user(c, ada.id, NOW))
    assert [(d.token.id, d.client) for d in listed] == [
        (last.id, "about service-app"),
        (first.id, "JupyterHub"),
    ]


def test_imported_token_is_found_by_prefix_until_it_is_rehashed(
    database: Database, people: tuple[User, User]
) -> None:
    token = add_token(database, "sha512:1:salt:digest", people[0])
    database.write_now(
        lambda c: c.execute(
            update(token_table).where(token_table.c.id == token.id).values(prefix="abcd")
        )
    )
    assert database.read_now(lambda c: tokens.salted(c, "abcd")) == [
        (token.id, "sha512:1:salt:digest")
    ]
    database.write_now(lambda c: tokens.rehash(c, token.id, "plain"))
    assert database.read_now(lambda c: tokens.salted(c, "abcd")) == []
    assert database.read_now(lambda c: tokens.find(c, "plain")) is not None


def test_tokens_end_with_session_client_owner_and_time(
    database: Database, people: tuple[User, User]
) -> None:
    ada, bob = people
    add_client(database, "service-app")
    of_session = add_token(database, "h1", ada, session_id="s1")
    add_token(database, "h2", bob, session_id="s1")
    of_client = add_token(database, "h3", ada, client_id="service-app")
    add_token(database, "h4", ada, expires_at=NOW)
    plain = add_token(database, "h5", ada)
    assert database.write_now(lambda c: tokens.remove_of_session(c, "s1", ada.id)) == [
        of_session.id
    ]
    assert database.write_now(lambda c: tokens.remove_of_client(c, ada.id, "service-app")) == [
        of_client.id
    ]
    assert database.write_now(lambda c: purging.expired_tokens(c, SOON, 9)) == 1
    left = database.read_now(lambda c: tokens.of_user(c, ada.id, NOW))
    assert [detail.token.id for detail in left] == [plain.id]
    database.write_now(lambda c: users.remove(c, ada.id))
    assert database.read_now(lambda c: tokens.find(c, "h5")) is None
    assert database.read_now(lambda c: tokens.find(c, "h2")) is not None


def test_tokens_of_a_person_end_except_those_their_servers_run_with(
    database: Database, people: tuple[User, User]
) -> None:
    ada, _ = people
    add_token(database, "h1", ada)
    used = add_token(database, "h2", ada)
    database.write_now(
        lambda c: c.execute(
            update(server_table).where(server_table.c.user_id == ada.id).values(token_id=used.id)
        )
    )
    database.write_now(lambda c: tokens.remove_of_user(c, ada.id))
    left = database.read_now(lambda c: tokens.of_user(c, ada.id, NOW))
    assert [detail.token.id for detail in left] == [used.id]


def test_renaming_reaches_the_filters_of_tokens_and_only_whole_names(
    database: Database, people: tuple[User, User]
) -> None:
    scopes = (
        "read:users!user=ada",
        "read:users!user=adam",
        "servers!server=ada/lab",
        "servers!server=ada/",
        "read:groups!group=ada",
        "users:activity!user",
        "inherit",
    )
    add_token(database, "h1", people[1], scopes=scopes)
    database.write_now(lambda c: tokens.rename_in_scopes(c, "ada", "éva"))
    bearer = database.read_now(lambda c: tokens.find(c, "h1"))
    assert bearer is not None
    assert bearer.token.scopes == (
        "read:users!user=éva",
        "read:users!user=adam",
        "servers!server=éva/lab",
        "servers!server=éva/",
        "read:groups!group=ada",
        "users:activity!user",
        "inherit",
    )


# -- OAuth ------------------------------------------------------------------------
def test_hub_client_exists_once_and_cannot_be_removed(database: Database) -> None:
    for _ in range(2):
        database.write_now(oauth.ensure_hub_client)
    database.write_now(lambda c: oauth.remove_clients(c, [HUB_CLIENT]))
    client = database.read_now(lambda c: oauth.find_client(c, HUB_CLIENT))
    assert client is not None
    assert (client.description, client.secret_hash) == ("JupyterHub", "")


def test_registering_again_changes_the_client_and_keeps_its_tokens(
    database: Database, people: tuple[User, User]
) -> None:
    add_client(database, "service-app")
    add_token(database, "h1", people[0], client_id="service-app")
    changed = OAuthClient("service-app", "new", "other", "/elsewhere", ())
    database.write_now(lambda c: oauth.save_client(c, changed))
    assert database.read_now(lambda c: oauth.find_client(c, "service-app")) == changed
    assert database.read_now(lambda c: tokens.find(c, "h1")) is not None
    assert database.write_now(lambda c: oauth.remove_clients(c, ["service-app", "absent"]))
    assert database.read_now(lambda c: tokens.find(c, "h1")) is None


def test_client_belongs_to_a_server_or_a_service_or_is_a_stray(
    database: Database, people: tuple[User, User]
) -> None:
    for identifier in ("jupyterhub-user-ada-lab", "service-app", "stray"):
        add_client(database, identifier)

    def own(connection: Connection) -> None:
        server = servers.create(connection, people[0].id, "lab")
        servers.edit(connection, server, oauth_client_id="jupyterhub-user-ada-lab")
        services.save(
            connection,
            Service(0, "app", oauth_client_id="service-app", oauth_no_confirm=True),
        )

    database.write_now(own)

    def owner(identifier: str) -> ClientOwner | None:
        return database.read_now(lambda c: oauth.client_owner(c, identifier))

    assert owner("jupyterhub-user-ada-lab") == ClientOwner(server=("ada", "lab"))
    assert owner("service-app") == ClientOwner(service="app", no_confirm=True)
    assert owner("stray") is None
    assert owner(HUB_CLIENT) is None
    assert database.write_now(lambda c: purging.stray_clients(c, 9)) == (1, [])
    assert database.read_now(lambda c: oauth.find_client(c, "service-app")) is not None


def test_code_is_used_once_and_purged_when_late(
    database: Database, people: tuple[User, User]
) -> None:
    add_client(database, "service-app")

    def code(hashed: str, expires_at: datetime, session_id: str | None = None) -> OAuthCode:
        made = OAuthCode(
            "service-app", hashed, expires_at, "/cb", session_id, people[0].id,
            ("read:users!user",), "challenge", "S256",
        )  # fmt: skip
        database.write_now(lambda c: oauth.create_code(c, made))
        return made

    good = code("c1", SOON)
    code("c2", NOW)
    code("c3", SOON, "s1")
    assert database.read_now(lambda c: oauth.find_code(c, "c1")) == good
    token = add_token(database, "hashed", people[0], client_id="service-app")
    assert database.write_now(lambda c: oauth.use_code(c, "c1", token.id))
    assert not database.write_now(lambda c: oauth.use_code(c, "c1", token.id))
    assert database.write_now(lambda c: purging.late_codes(c, NOW + timedelta(seconds=1), 9)) == 1
    assert database.write_now(lambda c: purging.late_codes(c, SOON + timedelta(days=9), 9)) == 1
    code("c3", SOON, "s1")
    assert database.read_now(lambda c: oauth.find_code(c, "c1")) == replace(good, token_id=token.id)
    assert database.write_now(lambda c: oauth.remove_token_of_code(c, "c1")) == [token.id]
    assert database.read_now(lambda c: oauth.find_code(c, "c1")) is None
    assert database.write_now(lambda c: oauth.remove_token_of_code(c, "c1")) == []
    database.write_now(lambda c: oauth.remove_codes_of_session(c, "s1", people[1].id))
    assert database.read_now(lambda c: oauth.find_code(c, "c3")) is not None
    database.write_now(lambda c: oauth.remove_codes_of_session(c, "s1", people[0].id))
    assert database.read_now(lambda c: oauth.find_code(c, "c3")) is None


# -- services ---------------------------------------------------------------------
def test_service_comes_back_as_it_was_saved(database: Database) -> None:
    given = Service(
        0,
        "svc",
        admin=True,
        url="http://127.0.0.1:1/",
        command=("run", "it"),
        info={"a": [1]},
        display=False,
        from_config=False,
        oauth_no_confirm=True,
        oauth_client_id="service-svc",
        oauth_client_allowed_scopes=("self",),
        cwd="/srv",
        environment={"A": "b"},
        user="nobody",
        timeout_s=7,
        pid=12,
    )
    first = database.write_now(lambda c: services.save(c, given))
    again = database.write_now(lambda c: services.save(c, given))
    assert first == again == database.read_now(lambda c: services.find(c, "svc"))
    assert (first.command, first.info, first.environment) == (("run", "it"), {"a": [1]}, {"A": "b"})
    assert database.read_now(lambda c: services.get(c, first.id)) == first
    assert first.pid is None, "whoever runs it says so"
    database.write_now(lambda c: services.remove(c, first.id))
    assert database.read_now(services.all_services) == []


# -- shares -----------------------------------------------------------------------
def default_server(database: Database, user: User) -> int:
    return database.read_now(lambda c: servers.of_user(c, user.id))[0].id


def test_grants_add_up_to_one_share_and_follow_a_renamed_owner(
    database: Database, people: tuple[User, User]
) -> None:
    ada, bob = people
    server = default_server(database, ada)
    for scope in ("access:servers!server=ada/", "read:servers", "access:servers"):
        database.write_now(
            lambda c, scope=scope: shares.grant(c, server, [scope], user_id=bob.id, now=NOW)  # type: ignore[misc]
        )
    (share,) = database.read_now(lambda c: shares.received(c, bob.id, NOW))
    assert share.scopes == ("access:servers!server=ada/", "read:servers!server=ada/")
    assert (share.owner, share.user, share.group) == ("ada", "bob", None)
    database.write_now(lambda c: users.rename(c, ada.id, "eva"))
    (share,) = database.read_now(lambda c: shares.received(c, bob.id, NOW))
    assert share.scopes == ("access:servers!server=eva/", "read:servers!server=eva/")


def test_shares_are_received_through_groups_and_listed_by_every_side(
    database: Database, people: tuple[User, User]
) -> None:
    ada, bob = people
    server = default_server(database, ada)

    def fill(connection: Connection) -> int:
        red = groups.create(connection, "red")
        groups.add_members(connection, red, [bob.id])
        shares.grant(connection, server, ["access:servers"], group_id=red, now=NOW)
        shares.grant(connection, server, ["read:servers"], user_id=bob.id, now=NOW)
        return red

    red = database.write_now(fill)

    def listed(query: ShareQuery) -> tuple[list[str | None], int]:
        found, total = database.read_now(lambda c: shares.page(c, query, NOW))
        return [share.user or share.group for share in found], total

    assert listed(ShareQuery(owner_id=ada.id)) == (["red", "bob"], 2)
    assert listed(ShareQuery(server_id=server, limit=1)) == (["red"], 2)
    assert listed(ShareQuery(received_by=bob.id, offset=1)) == (["bob"], 2)
    assert listed(ShareQuery(group_id=red)) == (["red"], 1)
    assert listed(ShareQuery(owner_id=bob.id)) == ([], 0)
    assert database.write_now(lambda c: shares.remove_of_server(c, server)) == 2


def test_narrowing_to_nothing_deletes_the_share(
    database: Database, people: tuple[User, User]
) -> None:
    ada, bob = people
    server = default_server(database, ada)
    database.write_now(
        lambda c: shares.grant(
            c, server, ["access:servers", "read:servers"], user_id=bob.id, now=NOW
        )
    )
    share = database.read_now(lambda c: shares.find(c, server, user_id=bob.id, now=NOW))
    assert share is not None
    database.write_now(lambda c: shares.narrow(c, share.id, share.scopes[:1]))
    share = database.read_now(lambda c: shares.find(c, server, user_id=bob.id, now=NOW))
    assert share is not None
    assert share.scopes == ("access:servers!server=ada/",)
    database.write_now(lambda c: shares.narrow(c, share.id, ()))
    assert database.read_now(lambda c: shares.find(c, server, user_id=bob.id, now=NOW)) is None


def test_share_code_counts_its_uses_and_ends(database: Database, people: tuple[User, User]) -> None:
    server = default_server(database, people[0])
    for hashed, ends in (("c1", SOON), ("c2", NOW)):
        database.write_now(
            lambda c, hashed=hashed, ends=ends: shares.create_code(  # type: ignore[misc]
                c, server, hashed, ["access:servers!server=ada/"], NOW, ends
            )
        )
    code = database.read_now(lambda c: shares.find_code(c, "c1"))
    assert code is not None
    assert code.scopes == ("access:servers!server=ada/",)
    database.write_now(lambda c: shares.note_exchange(c, code.id, SOON))
    found, total = database.read_now(
        lambda c: shares.page_codes(c, owner_id=people[0].id, offset=0, limit=9, now=NOW)
    )
    assert total == 1
    assert (found[0].exchange_count, found[0].last_exchanged_at) == (1, SOON)
    later = NOW + timedelta(seconds=1)
    assert database.write_now(lambda c: purging.expired_share_codes(c, later, 9)) == 1
    assert database.write_now(lambda c: shares.remove_codes(c, server, hashed="absent")) == 0
    assert database.write_now(lambda c: shares.remove_codes(c, server, code_id=code.id)) == 1
