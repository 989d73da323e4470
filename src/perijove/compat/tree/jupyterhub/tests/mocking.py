"""A hub, spawners and an authenticator for tests."""

from perijove.testing.authenticators import (
    MockPAMAuthenticator,
    mock_authenticate,
    mock_check_account,
    mock_open_session,
)
from perijove.testing.calls import AsyncSession, public_host, public_url
from perijove.testing.hub import MockHub
from perijove.testing.spawners import (
    BadSpawner,
    CustomBadSpawner,
    CustomInputSpawner,
    FalsyCallableFormSpawner,
    FormSpawner,
    MockSpawner,
    NeverSpawner,
    SlowBadSpawner,
    SlowSpawner,
)
