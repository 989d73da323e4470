"""``perijove token list|create|revoke``: tokens through the API of a running hub."""

from argparse import ArgumentParser, Namespace
from typing import Any

from perijove.commands.durations import seconds
from perijove.commands.output import Columns, Output
from perijove.commands.remote import add_action, each, make_parser, run_remote
from perijove.wire.client import BadAddress, HubClient
from perijove.wire.models import Token
from perijove.wire.requests import TokenRequest

DESCRIPTION = "Tokens of users, through the API of a running hub."

COLUMNS: Columns[Token] = {
    "id": lambda token: token.id,
    "note": lambda token: token.note,
    "client": lambda token: token.oauth_client,
    "created": lambda token: token.created,
    "last used": lambda token: token.last_activity,
    "expires": lambda token: token.expires_at,
}


def run(argv: list[str]) -> int:
    """Run the sub-command that ``argv`` names; the exit code."""
    return run_remote(parser(), argv)


def parser() -> ArgumentParser:
    """The command line."""
    made, place = make_parser("token", DESCRIPTION)
    whose = "whose token (default: the user whose token this command uses)"
    listing = add_action(place, "list", show_list, "List a user's tokens.")
    listing.add_argument("user", nargs="?", help=whose)
    creating = add_action(place, "create", create, "Make a token and print it.")
    creating.add_argument("user", nargs="?", help=whose)
    creating.add_argument("--note", help="what it is for")
    limits = creating.add_mutually_exclusive_group()
    limits.add_argument(
        "--scope",
        action="append",
        dest="scopes",
        metavar="SCOPE",
        help="what it may do, at most (default: all that its owner may); several times",
    )
    limits.add_argument(
        "--role", action="append", dest="roles", metavar="ROLE", help="the same, by role"
    )
    creating.add_argument(
        "--expires-in",
        type=seconds,
        metavar="TIME",
        help="90s, 30m, 12h or 7d (default: as long as the hub allows)",
    )
    revoking = add_action(place, "revoke", revoke, "End tokens.")
    revoking.add_argument("user")
    revoking.add_argument("ids", nargs="+", metavar="id", help="as perijove token list shows it")
    return made


async def _owner(hub: HubClient, named: str | None) -> str:
    """The user that is meant. Raises BadAddress for the token of a service."""
    if named is not None:
        return named
    me = await hub.who_am_i()
    if me.kind != "user":
        raise BadAddress(f"The token is that of the service {me.name}; name a user")
    return me.name


async def show_list(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove token list``."""
    out.models(await hub.tokens(await _owner(hub, args.user)), COLUMNS)


async def create(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove token create``."""
    given: dict[str, Any] = {
        "note": args.note,
        "scopes": args.scopes,
        "roles": args.roles,
        "expires_in": args.expires_in,
    }
    wish = TokenRequest(**{key: value for key, value in given.items() if value is not None})
    made = await hub.create_token(await _owner(hub, args.user), wish)
    if out.as_json:
        out.model(made, COLUMNS)
    out.line(made.token or "")


async def revoke(hub: HubClient, args: Namespace, out: Output) -> None:
    """``perijove token revoke``."""
    records = []

    async def end(token_id: str) -> None:
        await hub.revoke_token(args.user, token_id)
        records.append({"id": token_id, "revoked": True})

    await each(args.ids, end, out)
    out.records(records, [f"{one['id']} is revoked" for one in records])
