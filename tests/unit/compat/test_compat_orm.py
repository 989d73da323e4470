"""The database as plug-ins see it: classes they query and change, tables of their own."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, Unicode, inspect, text

from perijove.compat.orm import base as orm_base
from perijove.compat.orm.base import Base, JSONDict
from perijove.compat.orm.factory import get_class, new_session_factory
from perijove.compat.orm.people import Group, Role, Service, User
from perijove.compat.orm.session import GuestSession, open_session
from perijove.compat.orm.shares import Share
from perijove.compat.orm.spawners import Spawner
from perijove.compat.orm.tokens import APIToken
from perijove.compat.roles import (
    assign_default_roles,
    create_role,
    delete_role,
    get_default_roles,
    grant_role,
    strip_role,
)
from perijove.compat.scopes import get_scopes_for, has_scope
from perijove.compat.user import User as SeenUser
from perijove.domain.events import Topic
from perijove.plugins.local import LocalProcessSpawner
from perijove.store import schema
from perijove.store import users as user_rows
from perijove.store.engine import Database
from perijove.work.bus import Bus


class Badge(Base):
    """A plug-in's own table beside the hub's."""

    __tablename__ = "badges"
    id = Column(Integer, primary_key=True)
    user_id = Column(ForeignKey("users.id", ondelete="CASCADE"))
    word = Column(Unicode(20))
    extra = Column(JSONDict, default={})


@pytest.fixture
def db() -> Iterator[GuestSession]:
    session = new_session_factory()()
    for role in get_default_roles():
        create_role(session, role)
    yield session
    session.close()


def person(db: GuestSession, name: str = "ada", **values: Any) -> User:
    user = User(name=name, **values)
    db.add(user)
    db.commit()
    return user


# -- tables of plug-ins ---------------------------------------------------------------
def test_a_plugins_own_table_is_made_and_keeps_json_with_bytes(db: GuestSession) -> None:
    assert "badges" in inspect(db.bind).get_table_names()
    ada = person(db)
    db.add(Badge(user_id=ada.id, word="gold", extra={"key": b"\x00\xff", "n": [1]}))
    db.commit()
    db.expire_all()
    badge = db.query(Badge).filter_by(word="gold").one()
    assert badge.extra == {"key": b"\x00\xff", "n": [1]}


def test_the_hubs_own_schema_knows_nothing_of_it() -> None:
    assert "badges" not in schema.metadata.tables
    assert "badges" in orm_base.guest_metadata.tables


# -- people ----------------------------------------------------------------------------
def test_people_are_found_changed_and_deleted(db: GuestSession) -> None:
    person(db, "ada", admin=True)
    assert db.query(User).filter_by(name="ada").first() is User.find(db, "ada")
    ada = User.find(db, "ada")
    assert list(ada.orm_spawners) == [""], "everybody has a default server"
    ada.user_info = {"title": "countess"}
    db.commit()
    db.expire_all()
    assert User.find(db, "ada").user_info == {"title": "countess"}
    assert ada.created.tzinfo is None
    db.delete(ada)
    db.commit()
    assert User.find(db, "ada") is None
    assert db.query(Spawner).count() == 0


def test_groups_have_members_and_roles(db: GuestSession) -> None:
    ada = person(db)
    group = Group(name="maths")
    db.add(group)
    group.users.append(ada)
    create_role(db, {"name": "reader", "scopes": ["read:users:name"]})
    grant_role(db, group, rolename="reader")
    db.commit()
    assert [found.name for found in ada.groups] == ["maths"]
    assert "read:users:name" in get_scopes_for(ada)
    strip_role(db, group, rolename="reader")
    assert "read:users:name" not in get_scopes_for(ada)
    assert get_class("groups") is Group
    with pytest.raises(ValueError, match="none of"):
        get_class("planets")


def test_default_roles_follow_the_admin_flag(db: GuestSession) -> None:
    ada = person(db, admin=True)
    assign_default_roles(db, ada)
    assert {role.name for role in ada.roles} == {"user", "admin"}
    assert has_scope("admin:users", get_scopes_for(ada))
    ada.admin = False
    assign_default_roles(db, ada)
    assert {role.name for role in ada.roles} == {"user"}
    with pytest.raises(ValueError, match="cannot be deleted"):
        delete_role(db, "user")
    with pytest.raises(ValueError, match="no role"):
        grant_role(db, ada, rolename="nobody-knows")
    assert Role.find(db, "admin") is not None


# -- tokens ----------------------------------------------------------------------------
def test_tokens_are_made_found_by_their_secret_and_end(db: GuestSession) -> None:
    ada = person(db)
    assign_default_roles(db, ada)
    secret = ada.new_api_token(note="for a test", expires_in=60)
    found = APIToken.find(db, secret)
    assert (found.user.name, found.note, found.expired) == ("ada", "for a test", False)
    assert 0 < found.expires_in <= 60
    assert found.match(secret)
    assert not found.match("another")
    assert APIToken.find(db, secret, kind="service") is None
    with pytest.raises(AttributeError):
        found.token  # noqa: B018 - only its hash is stored
    found.expires_at = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    db.commit()
    assert APIToken.find(db, secret) is None
    APIToken.purge_expired(db)
    assert db.query(APIToken).count() == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"roles": ["user"], "scopes": ["self"]}, "not both"),
        ({"roles": ["nobody-knows"]}, "no role"),
        ({"token": "short", "generated": False}, "at least 8"),
    ],
)
def test_contradictory_tokens_are_refused(
    db: GuestSession, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        person(db).new_api_token(**options)


def test_a_token_gives_no_more_than_its_owner_has(db: GuestSession) -> None:
    ada = person(db)
    assign_default_roles(db, ada)
    secret = ada.new_api_token(scopes=["read:users!user=ada", "admin:users"])
    held = get_scopes_for(APIToken.find(db, secret))
    assert "read:users!user=ada" in held
    assert not has_scope("admin:users", held)


# -- servers and shares -------------------------------------------------------------------
def test_a_stored_server_tells_what_goes_on(db: GuestSession) -> None:
    ada = person(db)
    row = ada.orm_spawners[""]
    assert (row.active, row.ready, row.pending, row.server) == (False, False, None, None)
    db.execute(
        text("UPDATE servers SET state = 'starting', wanted = 'up', url = 'http://10.0.0.1:80'")
    )
    db.commit()
    db.expire_all()
    assert (row.active, row.ready, row.pending) == (True, False, "spawn")
    assert (row.server.ip, row.server.port) == ("10.0.0.1", 80)
    db.execute(text("UPDATE servers SET state = 'ready'"))
    db.commit()
    db.expire_all()
    assert (row.ready, row.pending) == (True, None)
    assert row.orm_spawner is row


def test_shares_are_found_by_server_and_receiver(db: GuestSession) -> None:
    ada, bob = person(db), person(db, "bob")
    server = ada.orm_spawners[""]
    now = datetime.now(UTC).replace(tzinfo=None)
    db.add(Share(server_id=server.id, user_id=bob.id, scopes=["access:servers"], created_at=now))
    db.commit()
    assert Share.find(db, server, bob).owner is ada
    assert Share.find(db, server, ada) is None
    assert [share.scopes for share in bob.all_shared_with_me] == [["access:servers"]]


# -- beside the hub ------------------------------------------------------------------------
async def test_what_a_plugin_forgets_to_commit_does_not_keep_the_hub_from_writing(
    database_url: str,
) -> None:
    database = Database(database_url)
    schema.require_schema(database)
    bus = Bus()
    heard: list[str] = []
    bus.subscribe(Topic.CREDENTIALS, heard.append)
    db = open_session(database, bus)
    db.add(User(name="ada"))
    db.flush()
    async with asyncio.timeout(5):
        while db.in_transaction():
            await asyncio.sleep(0)
    now = datetime.now(UTC)
    await database.write(lambda c: user_rows.create(c, ["bob"], now))
    assert {user.name for user in db.query(User)} == {"ada", "bob"}
    assert heard, "other rooms and replicas hear of changed people"
    heard.clear()
    db.add(Badge(word="tin"))
    db.commit()
    assert not heard, "a plug-in's own table is nobody else's business"
    db.close()
    database.close()


def test_a_query_gives_what_is_stored_now(database_url: str) -> None:
    database = Database(database_url)
    schema.require_schema(database)
    db = open_session(database)
    ada = person(db)
    database.write_now(lambda c: c.execute(text("UPDATE users SET admin = true")))
    assert db.query(User).filter_by(name="ada").one() is ada
    assert ada.admin
    db.close()
    database.close()


# -- without a hub ---------------------------------------------------------------------------
def test_a_user_can_be_made_from_a_stored_one_alone(db: GuestSession) -> None:
    user = SeenUser(person(db, "ada lovelace"), {})
    assert (user.name, user.escaped_name) == ("ada lovelace", "ada%20lovelace")
    assert user.url == "/user/ada%20lovelace/"
    assert user.orm_user is User.find(db, "ada lovelace")
    assert type(user.spawner) is LocalProcessSpawner
    assert user.spawner is user.spawners[""]
    user.admin = True
    db.commit()
    assert User.find(db, "ada lovelace").admin
    with pytest.raises(RuntimeError, match="no running hub"):
        asyncio.run(user.stop())


def test_a_user_can_be_put_into_groups_by_name(db: GuestSession) -> None:
    db.add(Group(name="old"))
    db.commit()
    user = SeenUser(person(db, "ada"), {})
    user.sync_groups(["old", "new"])
    assert {group.name for group in user.groups} == {"new", "old"}
    user.sync_groups([])
    assert list(user.groups) == []
    assert {group.name for group in db.query(Group)} == {"old", "new"}
    assert user.public_url() == ""


def test_services_are_found_by_name(db: GuestSession) -> None:
    db.add(Service(name="culler", url="http://127.0.0.1:9000"))
    db.commit()
    assert Service.find(db, "culler").server.port == 9000
    assert Service.find(db, "other") is None
