"""What plug-ins import as ``jupyterhub.crypto``: encryption with the hub's keys."""

import asyncio
from typing import Any

from traitlets import default
from traitlets.config import Application, Config, SingletonConfigurable

from perijove.config.secrets import read_crypt_keys
from perijove.config.sections import CryptKeeper as KeyOptions
from perijove.kit.crypto import Cipher


class EncryptionUnavailable(Exception):
    """Nothing can be encrypted or decrypted."""


class NoEncryptionKeys(EncryptionUnavailable):
    """No keys are configured."""


class InvalidToken(EncryptionUnavailable):
    """No configured key decrypts the value."""


class CryptKeeper(KeyOptions, SingletonConfigurable):
    """Encrypts and decrypts JSON values."""

    @default("config")
    def _config_of_hub(self) -> Any:
        return Application.instance().config if Application.initialized() else Config()

    @property
    def _cipher(self) -> Cipher:
        return Cipher(read_crypt_keys(self.keys))

    def check_available(self) -> None:
        """Raises NoEncryptionKeys without keys."""
        if not self.keys:
            raise NoEncryptionKeys("Encryption keys are needed: set JUPYTERHUB_CRYPT_KEY")

    def encrypt(self, data: Any) -> "asyncio.Future[bytes]":
        """The encrypted JSON form of ``data``, as a future."""
        self.check_available()
        return _resolved(lambda: self._cipher.encrypt(data))

    def decrypt(self, encrypted: bytes) -> "asyncio.Future[Any]":
        """The value again, as a future. Fails with InvalidToken when no key fits."""
        self.check_available()
        return _resolved(lambda: self._decrypt(encrypted))

    def _decrypt(self, encrypted: bytes) -> Any:
        try:
            return self._cipher.decrypt(encrypted)
        except ValueError as error:
            raise InvalidToken(str(error)) from None


def _resolved(work: Any) -> "asyncio.Future[Any]":
    future = asyncio.get_running_loop().create_future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future


def encrypt(data: Any) -> "asyncio.Future[bytes]":
    """``CryptKeeper.encrypt`` of the one instance."""
    return CryptKeeper.instance().encrypt(data)


def decrypt(data: bytes) -> "asyncio.Future[Any]":
    """``CryptKeeper.decrypt`` of the one instance."""
    return CryptKeeper.instance().decrypt(data)
