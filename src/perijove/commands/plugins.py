"""``perijove plugins``: what is installed, from which packages, and whether it loads."""

from argparse import ArgumentParser
from dataclasses import dataclass

from pydantic import BaseModel

from perijove.commands.output import Columns, Output
from perijove.compat import alias
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.discover import (
    AUTHENTICATORS,
    PROXIES,
    SPAWNERS,
    Installed,
    find_plugins,
    import_dotted,
)
from perijove.plugins.proxy import Proxy
from perijove.plugins.spawner import Spawner

DESCRIPTION = """\
List the plug-ins that packages of this environment register: the name to write into
the configuration, the class behind it, the package it comes from, and whether it can be
loaded. Classes can be configured without being listed, by their import path. The exit
code is 1 when one of them does not load."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of plug-in and the option that takes it."""

    name: str
    group: str
    base: type


KINDS = (
    Kind("authenticator", AUTHENTICATORS, Authenticator),
    Kind("spawner", SPAWNERS, Spawner),
    Kind("proxy", PROXIES, Proxy),
)


class PluginReport(BaseModel):
    """One plug-in; ``problem`` is empty when it loads."""

    kind: str
    name: str
    class_path: str
    package: str
    version: str
    loads: bool
    problem: str


COLUMNS: Columns[PluginReport] = {
    "kind": lambda plugin: plugin.kind,
    "name": lambda plugin: plugin.name,
    "class": lambda plugin: plugin.class_path,
    "package": lambda plugin: f"{plugin.package} {plugin.version}".strip(),
    "loads": lambda plugin: "yes" if plugin.loads else f"no: {plugin.problem}",
}


def run(argv: list[str]) -> int:
    """List them; 1 when one does not load."""
    args = parser().parse_args(argv)
    alias.install()
    reports = [report(kind, found) for kind in KINDS for found in find_plugins(kind.group)]
    out = Output(as_json=args.json)
    out.models(reports, COLUMNS)
    return 0 if all(found.loads for found in reports) else 1


def parser() -> ArgumentParser:
    """The command line."""
    made = ArgumentParser("perijove plugins", description=DESCRIPTION)
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def report(kind: Kind, found: Installed) -> PluginReport:
    """Load a plug-in, and say how that went."""
    problem = _problem(kind, found)
    return PluginReport(
        kind=kind.name,
        name=found.name,
        class_path=found.target.replace(":", "."),
        package=found.package,
        version=found.version,
        loads=not problem,
        problem=problem,
    )


def _problem(kind: Kind, found: Installed) -> str:
    if found.hidden_by:
        return f"the name means the one of {found.hidden_by}"
    try:
        loaded = import_dotted(found.target)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    if not (isinstance(loaded, type) and issubclass(loaded, kind.base)):
        return f"it is no subclass of {kind.base.__name__}"
    return ""
