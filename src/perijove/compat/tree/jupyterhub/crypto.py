"""Encryption with the hub's keys."""

from perijove.compat.crypto import (
    CryptKeeper,
    EncryptionUnavailable,
    InvalidToken,
    NoEncryptionKeys,
    decrypt,
    encrypt,
)
