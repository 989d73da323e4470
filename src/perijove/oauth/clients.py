"""OAuth clients: a secret, one redirect URI, and what they may ask for.

The client of a server is made and ended with each start (``servers.launch``),
that of a service when it is registered. The secret is the API token that the
server or service has anyhow; only its hash is stored.
"""

import hmac
from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from perijove.domain.errors import ConfigError
from perijove.domain.events import Message, Topic
from perijove.domain.tokens import HUB_CLIENT, OAuthClient
from perijove.kit.crypto import MAX_TOKEN_LENGTH, hash_token, matches_salted
from perijove.store import oauth as oauth_store
from perijove.store import purging
from perijove.store.engine import Database
from perijove.work.bus import Bus

BATCH = 200
"""Clients that one transaction deletes at most."""


class Clients:
    """Registers and removes clients."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus

    async def register(
        self,
        identifier: str,
        *,
        secret: str,
        redirect_uri: str,
        description: str,
        allowed_scopes: Sequence[str] = (),
    ) -> OAuthClient:
        """Add a client, or change the one of this id; its tokens stay valid.

        Raises ConfigError for an id that the hub uses itself.
        """
        if identifier == HUB_CLIENT:
            raise ConfigError(f"{HUB_CLIENT!r} is the hub itself; an OAuth client needs another id")
        client = OAuthClient(
            identifier,
            description,
            hash_token(secret) if secret else "",
            redirect_uri,
            tuple(dict.fromkeys(allowed_scopes)),
        )
        await self._database.write(lambda c: oauth_store.save_client(c, client))
        return client

    async def find(self, identifier: str) -> OAuthClient | None:
        """The client of this id."""
        return await self._database.read(lambda c: oauth_store.find_client(c, identifier))

    async def remove(self, identifiers: Collection[str]) -> None:
        """Remove clients with all tokens issued to them; missing ones are no error."""
        self._forget(
            await self._database.write(lambda c: oauth_store.remove_clients(c, identifiers))
        )

    async def remove_strays(self) -> int:
        """Remove clients that belong to no server and no service, with their tokens; how many."""
        gone = 0
        while True:
            count, ended = await self._database.write(lambda c: purging.stray_clients(c, BATCH))
            self._forget(ended)
            gone += count
            if count < BATCH:
                return gone

    def _forget(self, token_ids: Collection[int]) -> None:
        for token_id in token_ids:
            self._bus.publish(Message(Topic.CREDENTIALS, f"token:{token_id}"))


def secret_matches(connection: Connection, client: OAuthClient, secret: str) -> bool:
    """Whether the secret is this client's; compared in constant time.

    An imported, slow hash is replaced by the plain one when it matches.
    """
    if not client.secret_hash or not 0 < len(secret) <= MAX_TOKEN_LENGTH:
        return False
    hashed = hash_token(secret)
    if ":" not in client.secret_hash:
        return hmac.compare_digest(client.secret_hash, hashed)
    if not matches_salted(client.secret_hash, secret):
        return False
    oauth_store.set_secret_hash(connection, client.identifier, hashed)
    return True
