"""An authenticator for tests: PAM's whole way, without the machine's accounts."""

from typing import Any
from unittest import mock

import pamela
from traitlets import default

from perijove.plugins.pam import PAMAuthenticator


def mock_authenticate(username: str, password: str, service: str, encoding: str) -> bool:
    """Whoever has their name as password. Raises PAMError for others."""
    if password != username:
        raise pamela.PAMError("wrong password")
    return True


def mock_check_account(username: str, service: str, encoding: str) -> bool:
    """All but those whose names begin with ``notallowed``, who are a PAMError."""
    if username.startswith("notallowed"):
        raise pamela.PAMError("account closed")
    return True


def mock_open_session(username: str, service: str, encoding: str) -> None:
    """Sessions cost nothing."""


class MockPAMAuthenticator(PAMAuthenticator):
    """Accepts everybody whose password is their name; ``admin`` is an administrator.

    ``auth_state`` set on it comes with each sign-in.
    """

    auth_state: Any = None

    @default("admin_users")
    def _default_admin_users(self) -> set[str]:
        return {"admin"}

    def system_user_exists(self, user: Any) -> bool:
        """Everybody is known to the machine but those whose names begin with ``dne``."""
        return not user.name.startswith("dne")

    async def authenticate(self, handler: Any, data: dict[str, str] | None) -> Any:
        """The name, or a dict with it and ``auth_state``; None for a wrong password."""
        with mock.patch.multiple(
            pamela,
            authenticate=mock_authenticate,
            check_account=mock_check_account,
            open_session=mock_open_session,
            close_session=mock_open_session,
        ):
            name = await super().authenticate(handler, data)
        if name is None or not self.auth_state:
            return name
        return {"name": name, "auth_state": self.auth_state}
