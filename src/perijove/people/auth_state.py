"""What authenticators want remembered of a person, encrypted at rest.

Access tokens of other systems often stand in here, so it is stored encrypted or
not at all, and a value that no key decrypts reads as nothing.
"""

import logging
from typing import Any

from perijove.domain.errors import InvalidInput
from perijove.domain.users import User
from perijove.kit.crypto import Cipher
from perijove.store import users as user_store
from perijove.store.engine import Database

log = logging.getLogger("perijove.auth_state")


class AuthStates:
    """Reads and writes auth_state."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    async def get(self, user: User) -> dict[str, Any] | None:
        """The stored value; None when there is none or no key fits (with a warning)."""
        sealed = await self._database.read(lambda c: user_store.auth_state(c, user.id))
        return self.unseal(user.name, sealed)

    def unseal(self, name: str, sealed: bytes | None) -> dict[str, Any] | None:
        """The value of an encrypted one, for the person ``name``."""
        if sealed is None:
            return None
        try:
            value: dict[str, Any] = self._cipher.decrypt(sealed)
        except ValueError as error:
            log.warning("auth_state of %r cannot be read: %s", name, error)
            return None
        return value

    def seal(self, value: dict[str, Any] | None) -> bytes | None:
        """The encrypted form. Raises InvalidInput when it cannot be made."""
        if value is None:
            return None
        try:
            return self._cipher.encrypt(value)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"auth_state cannot be stored: {error}") from error

    async def put(self, user: User, value: dict[str, Any] | None) -> None:
        """Replace the stored value. Raises InvalidInput when it cannot be encrypted."""
        sealed = self.seal(value)
        await self._database.write(
            lambda c: user_store.change(c, user.id, encrypted_auth_state=sealed)
        )
