"""``perijove share``: who may use whose server, and codes that give such access."""

from argparse import ArgumentParser, Namespace
from typing import Any

from perijove.commands.durations import seconds
from perijove.commands.output import Columns, Output
from perijove.commands.remote import add_action, make_parser, run_remote
from perijove.wire.client import HubClient
from perijove.wire.models import Share
from perijove.wire.requests import ShareCodeRequest, ShareRequest

COLUMNS: Columns[Share] = {
    "server": lambda share: f"{share.server.user.name}/{share.server.name}",
    "kind": lambda share: share.kind,
    "given to": lambda share: (share.user or share.group or share.server.user).name,
    "scopes": lambda share: share.scopes,
    "since": lambda share: share.created_at,
}


def run(argv: list[str]) -> int:
    """Run the sub-command that ``argv`` names; the exit code."""
    return run_remote(parser(), argv)


def parser() -> ArgumentParser:
    """The command line."""
    made, place = make_parser("share", "Access to servers that users give to others.")
    listing = add_action(place, "list", show_list, "List who may use a user's servers.")
    listing.add_argument("owner", help="whose servers they are")
    listing.add_argument("--server", metavar="NAME", help="one server; '' is the default one")
    granting = add_action(place, "grant", grant, "Give a user or a group access to a server.")
    _about_server(granting)
    _about_receiver(granting)
    _about_scopes(granting, "what to give (default: to use the server)")
    revoking = add_action(place, "revoke", revoke, "Take access to a server back.")
    _about_server(revoking)
    _about_receiver(revoking).add_argument(
        "--all", action="store_true", help="take it back from everybody"
    )
    _about_scopes(revoking, "what to take back (default: all)")
    coding = add_action(place, "code", make_code, "Make a code that gives access to a server.")
    _about_server(coding)
    _about_scopes(coding, "what it gives (default: to use the server)")
    coding.add_argument(
        "--expires-in", type=seconds, metavar="TIME", help="90s, 30m, 12h or 7d (default: a day)"
    )
    return made


def _about_server(parser: ArgumentParser) -> None:
    parser.add_argument("owner", help="whose server it is")
    parser.add_argument(
        "--server", default="", metavar="NAME", help="a named server (default: the default one)"
    )


def _about_receiver(parser: ArgumentParser) -> Any:
    receiver = parser.add_mutually_exclusive_group(required=True)
    receiver.add_argument("--user", help="the user who gets or has it")
    receiver.add_argument("--group", help="the group whose members get or have it")
    return receiver


def _about_scopes(parser: ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--scope",
        action="append",
        dest="scopes",
        metavar="SCOPE",
        help=f"{what}; may be given several times",
    )


def _request(args: Namespace) -> ShareRequest:
    given: dict[str, Any] = {"user": args.user, "group": args.group, "scopes": args.scopes}
    return ShareRequest(**{key: value for key, value in given.items() if value is not None})


async def show_list(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove share list``."""
    found = (
        hub.shares(args.owner)
        if args.server is None
        else hub.server_shares(args.owner, args.server)
    )
    out.models([share async for share in found], COLUMNS)


async def grant(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove share grant``."""
    out.model(await hub.grant_share(args.owner, args.server, _request(args)), COLUMNS)


async def revoke(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove share revoke``."""
    record = {"owner": args.owner, "server": args.server}
    if args.all:
        await hub.revoke_shares(args.owner, args.server)
        out.records([record], ["Nobody else has access any more"])
        return
    left = await hub.revoke_share(args.owner, args.server, _request(args))
    if left is None:
        who = args.user or args.group
        out.records([{**record, "scopes": []}], [f"{who} has no access any more"])
    else:
        scopes = ", ".join(left.scopes)
        out.records([{**record, "scopes": left.scopes}], [f"What is left: {scopes}"])


async def make_code(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove share code``: the code, or the link that hands it in where it is known."""
    given: dict[str, Any] = {"scopes": args.scopes, "expires_in": args.expires_in}
    wish = ShareCodeRequest(**{key: value for key, value in given.items() if value is not None})
    code = await hub.create_share_code(args.owner, args.server, wish)
    if out.as_json:
        out.model(code, {})
    out.line(code.full_accept_url or code.accept_url)
