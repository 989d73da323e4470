"""Hashes of tokens, signed cookie values, and encryption at rest.

Our tokens are long and random, so a plain SHA-256 is a safe key for a unique
index. Slow, salted hashes of an imported database are recognised, checked
once, and replaced by the caller.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

MAX_TOKEN_LENGTH = 64
"""Longer tokens never match, which bounds the work of refusing one."""


def hash_token(token: str) -> str:
    """The stored form of a token: hex SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def matches_salted(hashed: str, token: str) -> bool:
    """Whether ``token`` has the stored hash ``ALGORITHM:ROUNDS:SALT:DIGEST``.

    The digest covers the salt's text, then the token once per round. A hash in
    another form matches nothing.
    """
    try:
        algorithm, rounds, salt, digest = hashed.split(":")
        digester = hashlib.new(algorithm, salt.encode("ascii"))
        data = token.encode("utf-8", "surrogatepass")
        for _ in range(int(rounds)):
            digester.update(data)
    except ValueError:
        return False
    return hmac.compare_digest(digester.hexdigest(), digest)


def sign_value(secret: bytes, name: str, value: bytes, now_s: float | None = None) -> str:
    """A signed cookie value in tornado's version 2 format.

    ``2|1:0|LEN:TIMESTAMP|LEN:NAME|LEN:BASE64|HMAC-SHA256``, so that cookies
    survive a change of hub.
    """
    stamp = str(int(time.time() if now_s is None else now_s))
    body = base64.b64encode(value).decode("ascii")
    head = "2|" + "|".join(f"{len(part)}:{part}" for part in ("0", stamp, name, body)) + "|"
    return head + _signature(secret, head)


def unsign_value(
    secret: bytes, name: str, signed: str, max_age_days: float, now_s: float | None = None
) -> bytes | None:
    """The value of a signed cookie, or None when it is forged, foreign or too old."""
    head, separator, signature = signed.rpartition("|")
    if not separator or not head.startswith("2|"):
        return None
    head += separator
    if not hmac.compare_digest(
        _signature(secret, head).encode(), signature.encode("utf-8", "replace")
    ):
        return None
    fields = _signed_fields(head[2:])
    if fields is None or fields[2] != name:
        return None
    now = time.time() if now_s is None else now_s
    try:
        if int(fields[1]) < now - max_age_days * 86400:
            return None
        return base64.b64decode(fields[3], validate=True)
    except ValueError:
        return None


def _signature(secret: bytes, head: str) -> str:
    return hmac.new(secret, head.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _signed_fields(rest: str) -> list[str] | None:
    fields = []
    for _ in range(4):
        length, separator, rest = rest.partition(":")
        if not separator or not length.isascii() or not length.isdigit():
            return None
        size = int(length)
        if len(rest) <= size or rest[size] != "|":
            return None
        fields.append(rest[:size])
        rest = rest[size + 1 :]
    return fields if not rest else None


class Cipher:
    """Encrypts JSON values at rest; the first key encrypts, all are tried to decrypt."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """``keys`` are 32 raw bytes each."""
        self._keys = tuple(base64.urlsafe_b64encode(key) for key in keys)

    @cached_property
    def _fernet(self) -> Any:
        if not self._keys:
            raise ValueError("no encryption keys are configured (JUPYTERHUB_CRYPT_KEY)")
        # Seven megabytes that only hubs with auth_state need.
        from cryptography.fernet import Fernet, MultiFernet

        return MultiFernet([Fernet(key) for key in self._keys])

    def encrypt(self, value: Any) -> bytes:
        """The encrypted JSON form of ``value``. Raises ValueError without keys."""
        sealed: bytes = self._fernet.encrypt(json.dumps(value).encode())
        return sealed

    def decrypt(self, data: bytes) -> Any:
        """The value again. Raises ValueError when no key fits."""
        fernet = self._fernet
        from cryptography.fernet import InvalidToken

        try:
            return json.loads(fernet.decrypt(data))
        except InvalidToken:
            raise ValueError("none of the configured keys decrypts this value") from None
