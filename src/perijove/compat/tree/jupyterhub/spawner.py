"""Spawners."""

from perijove.compat.utils import quote_for_traitlets as _quote_safe
from perijove.plugins.local import (
    LocalProcessSpawner,
    SimpleLocalProcessSpawner,
    set_user_setuid,
)
from perijove.plugins.spawner import Spawner, SpawnException
