"""A hub with the people and things of ``access-matrix.toml``, put back after each change."""

import asyncio
import itertools
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from access_matrix import OWNERS, PLAIN, TABLE, Operation, Token
from sqlalchemy import Connection
from web_house import CONTRACT, WebHouse

from api_contract import Exchange
from perijove.domain.events import Message, Topic
from perijove.domain.tokens import HUB_CLIENT, OAuthClient
from perijove.domain.users import Service, User
from perijove.store import groups, oauth, roles, servers, services, shares, users
from perijove.store.tables import metadata

CLIENT = "jupyterhub-user-caller-run"
GRANTING = {"users", "groups", "memberships", "services", "roles", "shares"} | {
    f"{holder}_roles" for holder in ("user", "group", "service")
}
"""Tables that say what tokens may do."""

MATES_TOKEN = "token-of-mate-0123456789"

SETTINGS = f"""
c.JupyterHub.custom_scopes = {{
    "custom:lab:read": {{"description": "look"}},
    "custom:lab:admin": {{"description": "touch", "subscopes": ["custom:lab:read"]}},
}}
c.JupyterHub.services += [{{"name": "robot"}}, {{"name": "svc"}}]
c.JupyterHub.load_roles = [
    {{"name": "everything", "scopes": {sorted(PLAIN)!r}, "services": ["robot"]}}
]
c.JupyterHub.allow_named_servers = True
c.JupyterHub.admin_access = True
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 0}}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API; ``data`` is its JSON, or its first event's."""

    status: int
    data: Any

    @property
    def message(self) -> str:
        """The text of an error."""
        return str(self.data.get("message")) if isinstance(self.data, dict) else ""


class MatrixHub:
    """Made by ``open``."""

    def __init__(self, house: WebHouse) -> None:
        self.house = house
        self.secrets: dict[Token, str] = {}
        self.token_ids: dict[str, str] = {"gone": "a999999999"}
        self._numbers = itertools.count()

    @classmethod
    async def open(cls, folder: Path, tokens: Iterable[Token]) -> "MatrixHub":
        """A hub with everybody and everything, and these tokens."""
        made = cls(await WebHouse.open(folder, SETTINGS))
        house = made.house
        # Nothing runs here: a start that was granted stays queued, a shutdown is only asked for.
        house.rooms.runner.start = lambda server, request: None  # type: ignore[method-assign]
        house.rooms.shutdown = _no_shutdown
        # Time stands still, so that what is known of a token stays known until it changes.
        house.built.ground.clock.monotonic = lambda: 0.0  # type: ignore[method-assign]
        logging.disable(logging.WARNING)
        for name in TABLE["setup"]["users"]:
            if await house.rooms.users.find(name) is None:
                await house.add_user(name)
        await house.root.post("/services/added", json={"url": "http://127.0.0.1:9/"})
        await house.database.write(lambda c: made._furnish(c, list(tokens)))
        await house.database.write(_remember)
        made.forget()
        return made

    def _furnish(self, connection: Connection, tokens: list[Token]) -> None:
        people = users.named(connection, TABLE["setup"]["users"])
        everything = roles.find(connection, "everything")
        assert everything is not None
        roles.give(connection, "user", everything.id, [people["caller"].id])
        ids = {name: groups.create(connection, name) for name in TABLE["setup"]["groups"]}
        for name, members in TABLE["setup"]["groups"].items():
            groups.add_members(connection, ids[name], [people[who].id for who in members])
        for name in ("caller", "mate", "other", "lender"):
            self._add_servers(connection, people[name])
        self._share(connection, people, ids)
        mint = self.house.rooms.tokens.create_now
        for name, user in people.items():
            secret = MATES_TOKEN if name == "mate" else None
            made = mint(connection, user, ["inherit"], note="theirs", secret=secret)
            self.token_ids[name] = made.detail.token.public_id
        robot = services.find(connection, "robot")
        assert robot is not None
        for token in tokens:
            self.secrets[token] = self.mint(connection, token, people["caller"], robot)

    def mint(self, connection: Connection, token: Token, caller: User, robot: Service) -> str:
        """Make a token; its secret."""
        owner: User | Service = robot if OWNERS[token.holder] == "robot" else caller
        client = CLIENT if token.holder == "client" else HUB_CLIENT
        made = self.house.rooms.tokens.create_now(
            connection, owner, [token.scope + token.filter], client_id=client
        )
        return made.secret

    async def token_of(self, name: str, scopes: list[str]) -> str:
        """The secret of a new token of a person, with these scopes as they are."""
        user = await self.house.rooms.users.find(name)
        assert user is not None
        mint = self.house.rooms.tokens.create_now
        return (await self.house.database.write(lambda c: mint(c, user, scopes))).secret

    @staticmethod
    def _add_servers(connection: Connection, user: User) -> None:
        for name in ("lab",) if user.name == "lender" else ("lab", "run"):
            server_id = servers.create(connection, user.id, name)
            if name == "run":
                servers.edit(connection, server_id, state="ready", wanted="up", url="http://x:1")
            if (user.name, name) == ("caller", "run"):
                oauth.save_client(connection, OAuthClient(CLIENT, "", "", "", ()))
                servers.edit(connection, server_id, oauth_client_id=CLIENT)

    def _share(self, connection: Connection, people: dict[str, User], ids: dict[str, int]) -> None:
        now = self.house.built.ground.clock.now()
        for server in servers.of_user(connection, people["lender"].id):
            scopes = [f"access:servers!server={server.full_name}"]
            for name in ("caller", "mate", "other"):
                user_id = people[name].id
                shares.grant(connection, server.id, scopes, user_id=user_id, now=now)
            for group_id in ids.values():
                shares.grant(connection, server.id, scopes, group_id=group_id, now=now)

    # -- ask --------------------------------------------------------------------

    def urls(self, operation: Operation, target: str) -> list[str]:
        """Where to ask for an operation on a target, below the API's prefix."""
        names = {
            "cookie_name": "jupyterhub-hub-login",
            "cookie_value": "x",
            "token": MATES_TOKEN,
            "owner": "lender",
            "server": "lab",
            "name": target,
            "user": target,
        }
        if operation.target == "server":
            user, _, server = target.partition("/")
            names |= {"name": user, "user": user, "server": server, "server_name": server}
        names["token_id"] = self.token_ids.get(target, "")
        return [path.format_map(names) for path in operation.paths_for(target)]

    async def ask(self, method: str, url: str, secret: str | None, body: Any = None) -> Answer:
        """The answer; of a stream, the beginning. It is held against the document."""
        sent = b"" if body is None else json.dumps(body).encode()
        headers = [(b"host", b"hub.test")]
        headers += [(b"authorization", f"token {secret}".encode())] if secret else []
        url, _, query = url.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": f"/hub/api{url}",
            "raw_path": f"/hub/api{quote(url)}".encode(),
            "query_string": query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("hub.test", 80),
        }
        receiver = _Receiver(sent)
        await self.house.built.application(scope, receiver.receive, receiver.send)
        answer = b"".join(receiver.body)
        if receiver.status < 400 or next(self._numbers) % 100 == 0:
            said = {k.decode(): v.decode("latin-1") for k, v in receiver.headers}
            path = quote(url) or "/"
            exchange = Exchange(method, path, query, sent, receiver.status, said, answer)
            assert CONTRACT.faults(exchange) == []
        return Answer(receiver.status, _data(answer))

    # -- put back ---------------------------------------------------------------

    async def put_back(self) -> None:
        """Make everything as it was when the hub was opened."""
        changed = await self.house.database.write(_put_back)
        if changed & GRANTING:
            self.forget()

    def forget(self) -> None:
        """Nothing is answered from memory any more."""
        self.house.built.ground.bus.publish(Message(Topic.CREDENTIALS, "*"))

    async def close(self) -> None:
        """Close the hub."""
        logging.disable(logging.NOTSET)
        await self.house.rooms.feed.close()
        await self.house.close()


class _Receiver:
    """A client's side of one exchange; it leaves a stream after the first event."""

    def __init__(self, sent: bytes) -> None:
        self._sent: bytes | None = sent
        self._enough = asyncio.Event()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []

    async def receive(self) -> dict[str, Any]:
        if self._sent is not None:
            sent, self._sent = self._sent, None
            return {"type": "http.request", "body": sent, "more_body": False}
        await self._enough.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
            return
        self.body.append(message.get("body", b""))
        if self.body[-1].startswith((b"id: ", b"data: ")):
            self._enough.set()


def _data(body: bytes) -> Any:
    text = body.decode()
    if text.startswith(("id: ", "data: ")):
        text = next(line[6:] for line in text.splitlines() if line.startswith("data: "))
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _remember(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        connection.exec_driver_sql(f'CREATE TEMP TABLE "kept_{table}" AS SELECT * FROM "{table}"')


def _put_back(connection: Connection) -> set[str]:
    """Restore the tables that changed; which."""
    tables = [table for table in metadata.sorted_tables if _differs(connection, table.name)]
    for table in reversed(tables):
        connection.exec_driver_sql(f'DELETE FROM "{table}"')
    for table in metadata.sorted_tables:
        if table in tables or _differs(connection, table.name):
            connection.exec_driver_sql(f'DELETE FROM "{table}"')
            connection.exec_driver_sql(f'INSERT INTO "{table}" SELECT * FROM "kept_{table}"')
    return {table.name for table in tables}


def _differs(connection: Connection, table: str) -> bool:
    now, kept = f'SELECT * FROM "{table}"', f'SELECT * FROM "kept_{table}"'
    query = f"SELECT EXISTS({now} EXCEPT {kept}) OR EXISTS({kept} EXCEPT {now})"
    return bool(connection.exec_driver_sql(query).scalar())


async def _no_shutdown(proxy: bool | None, servers: bool | None) -> None:
    return None
