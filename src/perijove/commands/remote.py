"""Runs a command that talks to a hub: options, connection, errors as exit codes.

0: done. 1: something could not be done, told in a sentence on stderr. 2: the command
line is wrong. 130: interrupted.
"""

import asyncio
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from typing import Any

from perijove.commands.connection import add_connection_options, connect
from perijove.commands.output import Output
from perijove.wire.client import HubClient, HubError, NotAuthenticated, Unreachable

Action = Callable[[HubClient, Namespace, Output], Awaitable[None]]

INTERRUPTED = 130


def make_parser(command: str, description: str) -> tuple[ArgumentParser, Any]:
    """The parser of ``perijove COMMAND`` and the place for its own sub-commands."""
    parser = ArgumentParser(prog=f"perijove {command}", description=description)
    return parser, parser.add_subparsers(metavar="COMMAND", required=True)


def add_action(place: Any, name: str, action: Action, summary: str) -> ArgumentParser:
    """A sub-command with the options that say which hub is meant."""
    parser: ArgumentParser = place.add_parser(
        name, help=summary, description=summary, allow_abbrev=False
    )
    add_connection_options(parser)
    parser.set_defaults(action=action)
    return parser


def run_remote(parser: ArgumentParser, argv: list[str]) -> int:
    """Parse, connect and act; the exit code."""
    args = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names may hold any character
    out = Output(as_json=args.json)
    try:
        asyncio.run(_act(args, out))
        sys.stdout.flush()
    except HubError as error:
        out.problem(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if out.failed else 0


async def _act(args: Namespace, out: Output) -> None:
    async with connect(args) as hub:
        await args.action(hub, args, out)


async def each(names: list[str], act: Callable[[str], Awaitable[None]], out: Output) -> None:
    """Act on each name; what cannot be done is told, and the others go on.

    Raises what would be the same for all of them.
    """
    for name in names:
        try:
            await act(name)
        except (Unreachable, NotAuthenticated):
            raise
        except HubError as error:
            out.problem(f"{name}: {error}")
