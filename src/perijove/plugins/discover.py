"""Finds plug-in classes by short name or import path.

Packages register short names in three entry point groups. The hub's own names
are a table here and win: an installed jupyterhub distribution registers the
same names for classes of its own.
"""

from importlib import import_module
from importlib.metadata import entry_points

AUTHENTICATORS = "jupyterhub.authenticators"
SPAWNERS = "jupyterhub.spawners"
PROXIES = "jupyterhub.proxies"

BUILT_IN: dict[str, dict[str, str]] = {
    AUTHENTICATORS: {
        "default": "perijove.plugins.pam:PAMAuthenticator",
        "pam": "perijove.plugins.pam:PAMAuthenticator",
        "dummy": "perijove.plugins.simple_auth:DummyAuthenticator",
        "null": "perijove.plugins.simple_auth:NullAuthenticator",
        "shared-password": "perijove.plugins.simple_auth:SharedPasswordAuthenticator",
    },
    SPAWNERS: {
        "default": "perijove.plugins.local:LocalProcessSpawner",
        "localprocess": "perijove.plugins.local:LocalProcessSpawner",
        "simple": "perijove.plugins.local:SimpleLocalProcessSpawner",
    },
    PROXIES: {
        "default": "perijove.plugins.chp:ConfigurableHTTPProxy",
        "configurable-http-proxy": "perijove.plugins.chp:ConfigurableHTTPProxy",
    },
}


def list_plugins(group: str) -> dict[str, str]:
    """Short name (lower case) to ``module:Class``, for all that is installed."""
    found = {point.name.lower(): point.value for point in entry_points(group=group)}
    return found | BUILT_IN.get(group, {})


def load_plugin(group: str, name: str) -> object:
    """The object behind a short name of ``group``, or an import path.

    Raises ValueError with the known names when it is neither, and lets errors
    of the plug-in's own import through.
    """
    target = list_plugins(group).get(name.strip().lower(), name.strip())
    if ":" not in target and "." not in target:
        known = ", ".join(sorted(list_plugins(group)))
        raise ValueError(
            f"{name!r} is neither an installed name ({known}) nor package.module.Class"
        )
    return import_dotted(target)


def import_dotted(path: str) -> object:
    """The object named by ``package.module.Name`` or ``package.module:Name``."""
    module, _, attribute = path.replace(":", ".").rpartition(".")
    if not module:
        raise ValueError(f"{path!r} is not of the form package.module.Class")
    loaded = import_module(module)
    try:
        return getattr(loaded, attribute)
    except AttributeError:
        raise ValueError(f"there is no {attribute!r} in the module {module}") from None
