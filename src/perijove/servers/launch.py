"""What a server is given for its life: an API token and an OAuth client.

Both are made in the transaction that moves the server to STARTING and go in the
one that moves it to STOPPED, unless the plug-in says that the server will
resume with them.
"""

import logging
from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import quote

from sqlalchemy import Connection

from perijove.access.expand import Client
from perijove.access.tokens import scopes_for_server
from perijove.domain.errors import NotFound, StartFailed
from perijove.domain.ports import SpawnerPort
from perijove.domain.servers import Server
from perijove.domain.tokens import HUB_CLIENT, OAuthClient
from perijove.domain.users import User
from perijove.kit.crypto import hash_token
from perijove.kit.ids import new_token
from perijove.people.grants import Grants
from perijove.people.tokens import Tokens
from perijove.routes.addresses import Addresses
from perijove.servers import lifecycle
from perijove.servers.holdings import Holding
from perijove.servers.lifecycle import Move
from perijove.store import events as event_rows
from perijove.store import oauth as oauth_rows
from perijove.store import servers as server_rows
from perijove.store import tokens as token_rows
from perijove.store import users as user_rows
from perijove.store.engine import Database

log = logging.getLogger("perijove.servers")

SERVER_ROLE = "server"


def client_id_of(connection: Connection, server: Server) -> str:
    """A name for the server as an OAuth client that no other server has.

    ``jupyterhub-user-NAME[-SERVER]`` is what servers have always been called, and two
    may be called the same: the default server of ``a-b``, and ``a``'s server ``b``. The
    later one gets a mark that no name can hold.
    """
    usual = f"jupyterhub-user-{quote(server.user_name, safe='')}"
    if server.name:
        usual += f"-{quote(server.name, safe='')}"
    owner = oauth_rows.client_owner(connection, usual)
    if owner is None or owner.server == (server.user_name, server.name):
        return usual
    return f"{usual}!{server.id}"


class Launcher:
    """Makes and ends the credentials of servers."""

    def __init__(
        self, database: Database, addresses: Addresses, grants: Grants, tokens: Tokens
    ) -> None:
        self._grants = grants
        self._tokens = tokens
        self._database = database
        self._addresses = addresses

    async def owner(self, server: Server) -> tuple[User, tuple[str, ...]]:
        """The server's owner and the names of the owner's groups. Raises NotFound."""
        found = await self._database.read(lambda c: user_rows.with_groups(c, server.user_id))
        if found is None:
            raise NotFound(f"User {server.user_name} is gone")
        return found

    async def open(self, holding: Holding, owner: User, port: SpawnerPort) -> str:
        """Move a QUEUED server to STARTING with a new token and OAuth client; the token."""
        server = holding.server
        scopes = await self._token_scopes(server, owner, port)
        allowed = await port.oauth_scopes()
        token = new_token()
        events = holding.unstored()
        # Kept for a server that may resume with it; ``reconcile_token`` knows then.
        holding.spare_token = server.token_id

        def write(connection: Connection) -> tuple[int, str]:
            client_id = client_id_of(connection, server)
            oauth_rows.save_client(connection, self._client(server, client_id, token, allowed))
            token_id = self._store_token(connection, server, token, scopes)
            server_rows.move(
                connection,
                server.id,
                server.epoch,
                lifecycle.sources(Move.LAUNCH),
                lifecycle.target(Move.LAUNCH),
                token_id=token_id,
                oauth_client_id=client_id,
                # A process of one machine must be found there, however early the hub dies.
                host=port.local_host,
            )
            event_rows.append(connection, server.id, events)
            return token_id, client_id

        token_id, client_id = await self._database.write(write)
        holding.note_stored(events)
        holding.update(
            state=lifecycle.target(Move.LAUNCH),
            token_id=token_id,
            oauth_client_id=client_id,
            host=port.local_host,
        )
        return token

    def _client(
        self, server: Server, client_id: str, token: str, allowed: list[str]
    ) -> OAuthClient:
        access = f"access:servers!server={server.full_name}"
        url = self._addresses.server_url(server.user_name, server.name)
        return OAuthClient(
            identifier=client_id,
            description=f"Server at {self._addresses.server_path(server.user_name, server.name)}",
            secret_hash=hash_token(token),
            redirect_uri=f"{url}oauth_callback",
            allowed_scopes=tuple(dict.fromkeys([*allowed, access])),
        )

    def _store_token(
        self, connection: Connection, server: Server, token: str, scopes: list[str]
    ) -> int:
        path = self._addresses.server_path(server.user_name, server.name)
        return token_rows.create(
            connection,
            hashed=hash_token(token),
            user_id=server.user_id,
            client_id=HUB_CLIENT,
            scopes=scopes,
            now=datetime.now(UTC),
            note=f"Server at {path}",
        ).id

    async def _token_scopes(self, server: Server, owner: User, port: SpawnerPort) -> list[str]:
        """Scopes of the server's own token: what is wanted, cut down to what its owner holds."""
        wanted = await port.token_scopes()
        default = (await self._grants.role_scopes()).get(SERVER_ROLE, ())
        held = await self._grants.held_by(owner)
        client = Client("server", server.name, server.user_name)
        return list(
            scopes_for_server(
                wanted,
                client,
                held.scopes,
                default=default,
                catalogue=self._grants.catalogue,
            )
        )

    async def reconcile_token(
        self, holding: Holding, owner: User, port: SpawnerPort, given: str
    ) -> None:
        """Take over the token of a server that resumed with its own.

        Raises StartFailed when the token it reports belongs to somebody else.
        """
        server, spare = holding.server, holding.spare_token
        reported = port.api_token
        if not reported or reported == given:
            if spare is not None:
                await self._database.write(lambda c: token_rows.remove(c, [spare]))
                self.forget([spare])
            return
        log.info("%r resumed with its own API token", server.full_name)
        scopes = await self._token_scopes(server, owner, port)
        allowed = await port.oauth_scopes()

        def write(connection: Connection) -> int | None:
            if server.token_id is not None:
                token_rows.remove(connection, [server.token_id])
            bearer = self._tokens.find_now(connection, reported)
            if bearer is not None and bearer.token.user_id != server.user_id:
                token_rows.remove(connection, [bearer.token.id])
                return None
            token_id = (
                bearer.token.id
                if bearer is not None
                else self._store_token(connection, server, reported, scopes)
            )
            if spare not in (None, token_id):
                token_rows.remove(connection, [spare])
            client_id = server.oauth_client_id or client_id_of(connection, server)
            oauth_rows.save_client(connection, self._client(server, client_id, reported, allowed))
            server_rows.amend(connection, server.id, server.epoch, server.state, token_id=token_id)
            return token_id

        token_id = await self._database.write(write)
        if token_id is None:
            raise StartFailed("The server reports an API token that belongs to somebody else")
        holding.update(token_id=token_id)

    def close(
        self, connection: Connection, server: Server, spare_token: int | None = None
    ) -> list[int]:
        """End the credentials, in the transaction of the caller; ids of ended tokens.

        The row is asked, not memory: a start that was cancelled while it wrote them
        never heard of them.
        """
        row = server_rows.get(connection, server.id)
        if row is None:
            return []
        ended = [token for token in (row.token_id, spare_token) if token is not None]
        token_rows.remove(connection, ended)
        if row.oauth_client_id is not None:
            ended += oauth_rows.remove_clients(connection, [row.oauth_client_id])
        server_rows.edit(connection, row.id, token_id=None, oauth_client_id=None)
        return ended

    def forget(self, token_ids: Collection[int]) -> None:
        """Nobody is to answer for these tokens from memory any more."""
        self._tokens.forget(token_ids)
