"""Finds plug-in classes by short name or import path.

Packages register short names in three entry point groups. The hub's own names
are a table here and win: an installed jupyterhub distribution registers the
same names for classes of its own.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from perijove._version import __version__

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


UPSTREAM = "jupyterhub"
"""The distribution whose names for its own classes mean ours here."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A short name that a package registered. ``target`` is ``module:Class``.

    ``hidden_by`` is the package whose class the name means instead; empty mostly.
    """

    group: str
    name: str
    target: str
    package: str
    version: str
    hidden_by: str = ""


def find_plugins(group: str) -> list[Installed]:
    """Every short name (lower case) of a group: the hub's own first, then by name."""
    ours = BUILT_IN.get(group, {})
    found = [Installed(group, n, target, "perijove", __version__) for n, target in ours.items()]
    taken = dict.fromkeys(ours, "perijove")
    points = sorted(entry_points(group=group), key=lambda p: (p.name.lower(), _package_of(p)))
    for point in points:
        name, package = point.name.lower(), _package_of(point)
        if package == UPSTREAM and name in ours:
            continue
        version = point.dist.version if point.dist is not None else ""
        hidden_by = taken.setdefault(name, package)
        hidden_by = "" if hidden_by == package else hidden_by
        found.append(Installed(group, name, point.value, package, version, hidden_by))
    return found


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""


def list_plugins(group: str) -> dict[str, str]:
    """Short name (lower case) to ``module:Class``, for all that is installed."""
    return {found.name: found.target for found in find_plugins(group) if not found.hidden_by}


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
