"""``perijove group``: list, show, add and delete groups, and change who is in them."""

from argparse import ArgumentParser, Namespace

from perijove.commands.output import Columns, Output
from perijove.commands.remote import add_action, each, make_parser, run_remote
from perijove.wire.client import HubClient
from perijove.wire.models import Group

COLUMNS: Columns[Group] = {
    "name": lambda group: group.name,
    "members": lambda group: group.users,
    "roles": lambda group: group.roles,
}

FIELDS: Columns[Group] = {**COLUMNS, "properties": lambda group: group.properties}


def run(argv: list[str]) -> int:
    """Run the sub-command that ``argv`` names; the exit code."""
    return run_remote(parser(), argv)


def parser() -> ArgumentParser:
    """The command line."""
    made, place = make_parser("group", "Groups of users.")
    add_action(place, "list", show_list, "List groups.")
    add_action(place, "show", show, "Show a group.").add_argument("name")
    adding = add_action(place, "add", add, "Make groups.")
    adding.add_argument("names", nargs="+", metavar="name")
    adding.add_argument(
        "--user",
        action="append",
        default=[],
        dest="users",
        metavar="USER",
        help="a member; may be given several times",
    )
    deleting = add_action(place, "delete", delete, "Delete groups; their members stay users.")
    deleting.add_argument("names", nargs="+", metavar="name")
    members = place.add_parser("members", help="Change who is in a group.")
    inner = members.add_subparsers(metavar="COMMAND", required=True)
    for name, action, summary in (
        ("add", add_members, "Put users into a group."),
        ("remove", remove_members, "Take users out of a group."),
    ):
        changing = add_action(inner, name, action, summary)
        changing.add_argument("group")
        changing.add_argument("users", nargs="+", metavar="user")
    return made


async def show_list(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove group list``."""
    out.models([group async for group in hub.groups()], COLUMNS)


async def show(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove group show``."""
    out.model(await hub.group(args.name), FIELDS)


async def add(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove group add``: all of them, or none."""
    made = await hub.create_groups(args.names, users=args.users)
    if out.as_json:
        out.models(made, COLUMNS)
    for group in made:
        out.line(f"{group.name} is made")


async def delete(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove group delete``."""
    records = []

    async def remove(name: str) -> None:
        await hub.delete_group(name)
        records.append({"name": name, "deleted": True})

    await each(args.names, remove, out)
    out.records(records, [f"{one['name']} is deleted" for one in records])


async def add_members(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove group members add``."""
    out.model(await hub.add_members(args.group, args.users), FIELDS)


async def remove_members(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove group members remove``."""
    out.model(await hub.remove_members(args.group, args.users), FIELDS)
