"""Spawners."""

from perijove.plugins.local import (
    LocalProcessSpawner,
    SimpleLocalProcessSpawner,
    set_user_setuid,
)
from perijove.plugins.spawner import Spawner, SpawnException
