"""The mapped classes and their session, loaded when a plug-in first looks into the database.

Few plug-ins ever do, and SQLAlchemy's ORM takes six megabytes and a tenth of the hub's
time to start. Use ``stored.User`` and its like, and import none of ``compat.orm`` in
modules that a hub loads when it starts.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perijove.compat.orm.people import Group, Service, User
    from perijove.compat.orm.session import open_session, session_of
    from perijove.compat.orm.spawners import Spawner
    from perijove.compat.orm.tokens import APIToken

__all__ = ["APIToken", "Group", "Service", "Spawner", "User", "open_session", "session_of"]

_HOMES = {
    "APIToken": "tokens",
    "Group": "people",
    "Service": "people",
    "Spawner": "spawners",
    "User": "people",
    "session_of": "session",
    "open_session": "session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    import_module("perijove.compat.orm.session")  # a class must not be asked before all are known
    found = getattr(import_module(f"perijove.compat.orm.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
