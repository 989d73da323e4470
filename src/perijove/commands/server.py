"""``perijove server``: list, start, stop and look at servers."""

import asyncio
import json
from argparse import ArgumentParser, Namespace
from typing import Any

from perijove.commands.durations import seconds
from perijove.commands.output import Columns, Output, as_data
from perijove.commands.progress import StartShown
from perijove.commands.remote import add_action, make_parser, run_remote
from perijove.wire.client import HubClient, HubError, Invalid, NotFound
from perijove.wire.models import Server
from perijove.wire.requests import ServerRequest

STOP_LIMIT_S = 60

FIELDS: Columns[Server] = {
    "server": lambda server: server.full_name,
    "state": lambda server: state_of(server),
    "started": lambda server: server.started,
    "last activity": lambda server: server.last_activity,
    "url": lambda server: server.full_url or server.url,
}

ALL_FIELDS: Columns[Server] = {**FIELDS, "options": lambda server: server.user_options}


def state_of(server: Server) -> str:
    """One word, or two."""
    if server.pending is not None:
        return f"{server.pending} pending"
    return "ready" if server.ready else "stopped" if server.stopped else "not ready"


def run(argv: list[str]) -> int:
    """Run the sub-command that ``argv`` names; the exit code."""
    return run_remote(parser(), argv)


def parser() -> ArgumentParser:
    """The command line."""
    made, place = make_parser("server", "Servers of users.")
    listing = add_action(place, "list", show_list, "List servers that run.")
    listing.add_argument("--all", action="store_true", help="list stopped servers as well")
    _about_server(add_action(place, "status", show, "Show a server."))
    starting = add_action(place, "start", start, "Start a server and wait until it is ready.")
    _about_server(starting)
    starting.add_argument(
        "--option",
        action="append",
        default=[],
        dest="options",
        metavar="KEY=VALUE",
        help="an option of the start; several times. A VALUE that is JSON is taken as such",
    )
    starting.add_argument(
        "--timeout",
        type=seconds,
        default=600,
        metavar="TIME",
        help="how long to wait (default: 10m); the start goes on after that",
    )
    starting.add_argument("--no-wait", action="store_true", help="do not wait until it is ready")
    starting.set_defaults(parser=starting)
    stopping = add_action(place, "stop", stop, "Stop a server and wait until it has stopped.")
    _about_server(stopping)
    stopping.add_argument("--remove", action="store_true", help="and forget the named server")
    stopping.add_argument("--no-wait", action="store_true", help="do not wait until it has stopped")
    return made


def _about_server(parser: ArgumentParser) -> None:
    parser.add_argument("user")
    parser.add_argument("server", nargs="?", default="", help="a named server")


async def show_list(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove server list``."""
    found = hub.users(
        state=None if args.all else "active", include_stopped_servers=args.all, sort="name"
    )
    servers = [server async for user in found for server in (user.servers or {}).values()]
    out.models(servers, FIELDS)


async def show(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove server status``."""
    out.model(await find(hub, args.user, args.server), ALL_FIELDS)


async def find(hub: HubClient, user: str, name: str) -> Server:
    """The server. Raises NotFound."""
    try:
        return await hub.server(user, name)
    except Invalid as error:
        if error.status != 405:
            raise
    # A JupyterHub before 6.0 shows it as a part of its user only.
    servers = (await hub.user(user, include_stopped_servers=True)).servers or {}
    if name not in servers:
        raise NotFound(f"{user} has no server named {name!r}")
    return servers[name]


def _options(args: Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option in args.options:
        key, equals, value = option.partition("=")
        if not key or not equals:
            args.parser.error(f"argument --option: {option!r} is not KEY=VALUE")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


async def start(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove server start``: with a bar on a terminal, a line for each step elsewhere."""
    options = _options(args)
    wish = ServerRequest(user_options=options) if options else None
    ready = await hub.start_server(args.user, args.server, wish, wait_s=0)
    if not ready and not args.no_wait:
        try:
            async with asyncio.timeout(args.timeout):
                await _follow(hub, args, out)
        except TimeoutError:
            raise HubError(
                f"The server is not ready after {args.timeout} seconds; its start goes on"
            ) from None
    server = await find(hub, args.user, args.server)
    if not server.ready and not args.no_wait:
        raise HubError(f"The server {server.full_name} has not become ready")
    if out.as_json:
        out.document(as_data(server))
    out.line(server.full_url or server.url if server.ready else f"{server.full_name} is starting")


async def _follow(hub: HubClient, args: Namespace, out: Output) -> None:
    """Show the start to its end. Raises HubError, with the reason, when it fails."""
    with StartShown(args.user, args.server, out) as shown:
        try:
            async for event in hub.follow_start(args.user, args.server):
                if event.failed:
                    raise HubError(event.message or "The start failed")
                shown.step(event)
        except Invalid:
            return  # it is no longer starting; the caller looks how it ended


async def stop(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove server stop``."""
    wait_s = 0 if args.no_wait else STOP_LIMIT_S
    done = await hub.stop_server(args.user, args.server, remove=args.remove, wait_s=wait_s)
    name = f"{args.user}/{args.server}"
    if not done and not args.no_wait:
        done = await _stopped(hub, args)
    record = {"user": args.user, "server": args.server, "stopped": done}
    state = "has stopped" if done else "is stopping"
    out.records([record], [f"{name} {state}"])
    if not done and not args.no_wait:
        out.problem(f"{name} has not stopped yet; it goes on stopping.")


async def _stopped(hub: HubClient, args: Namespace) -> bool:
    """Whether it stops soon: asked again and again, for hubs that do not wait at a wish."""
    for _ in range(STOP_LIMIT_S):
        try:
            if (await find(hub, args.user, args.server)).stopped:
                return True
        except NotFound:
            return True
        await asyncio.sleep(1)
    return False
