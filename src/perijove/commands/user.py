"""``perijove user``: list, show, add, edit and delete users."""

from argparse import ArgumentParser, Namespace
from typing import Any, get_args

from perijove.commands.output import Columns, Output
from perijove.commands.remote import add_action, each, make_parser, run_remote
from perijove.wire.calls.users import Sort, State
from perijove.wire.client import HubClient
from perijove.wire.models import Server, User
from perijove.wire.requests import UserChange

COLUMNS: Columns[User] = {
    "name": lambda user: user.name,
    "admin": lambda user: user.admin,
    "servers": lambda user: [_shown(server) for server in (user.servers or {}).values()],
    "groups": lambda user: user.groups,
    "last activity": lambda user: user.last_activity,
}

FIELDS: Columns[User] = {
    **COLUMNS,
    "roles": lambda user: user.roles,
    "created": lambda user: user.created,
}


def _shown(server: Server) -> str:
    state = server.pending or ("ready" if server.ready else "stopped")
    return f"{server.name or 'default'} ({state})"


def run(argv: list[str]) -> int:
    """Run the sub-command that ``argv`` names; the exit code."""
    return run_remote(parser(), argv)


def parser() -> ArgumentParser:
    """The command line."""
    made, place = make_parser("user", "Users of a hub.")
    listing = add_action(place, "list", show_list, "List users.")
    listing.add_argument(
        "--state", choices=get_args(State), help="only those with such a server, or with none"
    )
    listing.add_argument("--filter", metavar="TEXT", help="only those whose name contains TEXT")
    listing.add_argument(
        "--sort",
        choices=get_args(Sort),
        metavar="KEY",
        help="id, name or last_activity; --sort=-name turns the order round",
    )
    listing.add_argument("--all-servers", action="store_true", help="show stopped servers as well")
    add_action(place, "show", show, "Show a user.").add_argument("name")
    adding = add_action(place, "add", add, "Make users.")
    adding.add_argument("names", nargs="+", metavar="name")
    adding.add_argument("--admin", action="store_true", help="make them admins")
    editing = add_action(place, "edit", edit, "Change a user's name or rights.")
    editing.add_argument("name")
    editing.add_argument("--rename", metavar="NAME", help="the new name")
    rights = editing.add_mutually_exclusive_group()
    rights.add_argument("--admin", action="store_true", default=None, help="make an admin")
    rights.add_argument(
        "--no-admin", action="store_false", dest="admin", help="make an ordinary user"
    )
    editing.set_defaults(parser=editing)
    deleting = add_action(place, "delete", delete, "Stop users' servers and delete the users.")
    deleting.add_argument("names", nargs="+", metavar="name")
    return made


async def show_list(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove user list``."""
    found = hub.users(
        state=args.state,
        name_filter=args.filter,
        sort=args.sort,
        include_stopped_servers=args.all_servers,
    )
    out.models([user async for user in found], COLUMNS)


async def show(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove user show``."""
    out.model(await hub.user(args.name, include_stopped_servers=True), FIELDS)


async def add(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove user add``: all in one request."""
    names = list(dict.fromkeys(args.names))
    made = await hub.create_users(names, admin=args.admin)
    if out.as_json:
        out.models(made, COLUMNS)
    for user in made:
        out.line(f"{user.name} is made")
    known = {user.name for user in made}
    if len(made) < len(names):
        for name in names:
            if name not in known and name.lower() not in known:
                out.problem(f"{name} exists already.")


async def edit(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove user edit``."""
    given: dict[str, Any] = {"name": args.rename, "admin": args.admin}
    change = UserChange(**{key: value for key, value in given.items() if value is not None})
    if not change.model_fields_set:
        args.parser.error("say what to change: --rename, --admin or --no-admin")
    out.model(await hub.edit_user(args.name, change), FIELDS)


async def delete(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove user delete``."""
    records = []

    async def remove(name: str) -> None:
        records.append({"name": name, "deleted": await hub.delete_user(name)})

    await each(args.names, remove, out)
    out.records(
        records,
        [
            f"{one['name']} is deleted"
            if one["deleted"]
            else f"{one['name']} goes as soon as the servers have stopped"
            for one in records
        ],
    )
