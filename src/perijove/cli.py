"""The command ``perijove`` and its sub-commands.

Each sub-command imports only what it needs: the proxy and the single-user
server are processes of their own and must start fast and stay small.
"""

import sys
from collections.abc import Callable

Command = Callable[[list[str]], int]


def _proxy(argv: list[str]) -> int:
    """Run the proxy."""
    from perijove.proxy.main import main as run

    return run(argv)


def _singleuser(argv: list[str]) -> int:
    """Run a single-user server."""
    from perijove.singleuser.app import main as run

    return run(argv)


def _token(argv: list[str]) -> int:
    """Make an API token for a user."""
    from perijove.commands.token import run

    return run(argv)


def _upgrade_db(argv: list[str]) -> int:
    """Bring the database to this version's schema."""
    from perijove.commands.upgrade_db import run

    return run(argv)


def _check_config(argv: list[str]) -> int:
    """Read a configuration and say what is wrong with it."""
    from perijove.commands.check_config import run

    return run(argv)


def _generate_config(argv: list[str]) -> int:
    """Write a configuration file with all options as comments."""
    return _hub(["--generate-config", *argv])


def _hub(argv: list[str]) -> int:
    """Run the hub."""
    from perijove.commands.hub import run

    return run(argv)


COMMANDS: dict[str, Command] = {
    "proxy": _proxy,
    "singleuser": _singleuser,
    "token": _token,
    "upgrade-db": _upgrade_db,
    "check-config": _check_config,
    "generate-config": _generate_config,
}


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command, or the hub when none is named; the exit code."""
    args = sys.argv[1:] if argv is None else argv
    if args and args[0] in COMMANDS:
        return COMMANDS[args[0]](args[1:])
    return _hub(args)
