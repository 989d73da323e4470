"""``perijove service``: list and show services."""

from argparse import ArgumentParser, Namespace

from perijove.commands.output import Columns, Output
from perijove.commands.remote import add_action, make_parser, run_remote
from perijove.wire.client import HubClient
from perijove.wire.models import Service

COLUMNS: Columns[Service] = {
    "name": lambda service: service.name,
    "admin": lambda service: service.admin,
    "url": lambda service: service.url,
    "process": lambda service: service.pid or None,
    "roles": lambda service: service.roles,
}

FIELDS: Columns[Service] = {
    **COLUMNS,
    "prefix": lambda service: service.prefix,
    "command": lambda service: service.command,
    "info": lambda service: service.info,
}


def run(argv: list[str]) -> int:
    """Run the sub-command that ``argv`` names; the exit code."""
    return run_remote(parser(), argv)


def parser() -> ArgumentParser:
    """The command line."""
    made, place = make_parser("service", "Services of a hub.")
    add_action(place, "list", show_list, "List services.")
    add_action(place, "show", show, "Show a service.").add_argument("name")
    return made


async def show_list(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove service list``: an array, as other lists are, with the name in each object."""
    found = await hub.services()
    named = [service.model_copy(update={"name": name}) for name, service in found.items()]
    out.models(named, COLUMNS)


async def show(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove service show``."""
    out.model(await hub.service(args.name), FIELDS)
