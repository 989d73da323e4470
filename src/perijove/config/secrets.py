"""The hub's secrets: where they come from, and whether they are kept well.

No message in this module contains a secret, or a part of one.
"""

import base64
import binascii
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perijove.domain.errors import ConfigError

log = logging.getLogger("perijove.config")

SECRET_BYTES = 32
COOKIE_SECRET_VARIABLE = "JPY_COOKIE_SECRET"


def load_cookie_secret(
    configured: bytes | None, path: str, *, environment: str = "", create: bool = True
) -> bytes:
    """The key that signs cookies, from the first place that has one.

    ``configured``, then ``environment`` (hexadecimal), then the file at
    ``path``; else a new one, which is written there unless ``create`` is off.
    Raises ConfigError when a place has something that is no good.
    """
    if configured:
        return _long_enough(configured, "c.JupyterHub.cookie_secret")
    if environment:
        try:
            secret = binascii.unhexlify(environment.strip())
        except (binascii.Error, ValueError):
            raise ConfigError(
                f"The environment variable {COOKIE_SECRET_VARIABLE} is not hexadecimal"
            ) from None
        return _long_enough(secret, f"the environment variable {COOKIE_SECRET_VARIABLE}")
    file = Path(path).absolute()
    if file.exists():
        return read_secret_file(file)
    secret = os.urandom(SECRET_BYTES)
    return _write_secret_file(file, secret) if create else secret


def read_secret_file(file: Path) -> bytes:
    """The secret in a file. Raises ConfigError when others can read or change it."""
    refusal = f"Refusing to start with the cookie_secret_file {file}: "
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{refusal}{reason}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigError(
            f"{refusal}it can be read or written by anybody (mode {mode:03o}); chmod 600 mends it"
        )
    secret = decode_secret(text)
    if not secret:
        raise ConfigError(f"{refusal}it does not hold a secret in hexadecimal")
    return _long_enough(secret, str(file))


def decode_secret(text: str) -> bytes:
    """The bytes of hexadecimal or (as written long ago) base64 text; empty if neither."""
    for decode in (binascii.unhexlify, lambda t: base64.b64decode(t, validate=True)):
        try:
            return bytes(decode(text))
        except (binascii.Error, ValueError):
            continue
    return b""


def _write_secret_file(file: Path, secret: bytes) -> bytes:
    """Write the secret where only this user can read it; another's that came first wins."""
    log.info("Writing cookie_secret to %s", file)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return read_secret_file(file)
    except OSError as error:
        raise ConfigError(f"Cannot write the cookie_secret_file {file}: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secret.hex() + "\n")
    return secret


def _long_enough(secret: bytes, source: str) -> bytes:
    if len(secret) < SECRET_BYTES:
        log.warning(
            "The cookie secret from %s has %d bytes; it should have %d (openssl rand -hex 32)",
            source,
            len(secret),
            SECRET_BYTES,
        )
    return secret


def read_crypt_keys(keys: Sequence[Any]) -> tuple[bytes, ...]:
    """Keys for encryption at rest, 32 bytes each. Raises ConfigError, counting from 1."""
    read = []
    for number, key in enumerate(keys, 1):
        raw = _crypt_key(key)
        if raw is None:
            raise ConfigError(
                f"Encryption key {number} of {len(keys)} (c.CryptKeeper.keys or the environment "
                "variable JUPYTERHUB_CRYPT_KEY) is not 32 bytes, in hexadecimal or base64 "
                "(openssl rand -hex 32 makes one)"
            )
        read.append(raw)
    return tuple(read)


def _crypt_key(key: Any) -> bytes | None:
    if isinstance(key, str):
        key = key.strip().encode("utf-8", "surrogatepass")
    if not isinstance(key, bytes):
        return None
    if len(key) == SECRET_BYTES:
        return key
    decoders = (binascii.unhexlify, base64.urlsafe_b64decode, base64.b64decode)
    for decode in decoders:
        try:
            raw = bytes(decode(key))
        except (binascii.Error, ValueError):
            continue
        if len(raw) == SECRET_BYTES:
            return raw
    return None
