"""The command ``perijove`` and its sub-commands.

Each sub-command imports only what it needs: the proxy and the single-user server
are processes of their own and must start fast and stay small, and commands that
ask a running hub need not load one.
"""

import sys
from collections.abc import Callable

from perijove.commands import hub_options

Command = Callable[[list[str]], int]

TOKEN_VERBS = frozenset({"list", "create", "revoke"})

TOKEN_HELP = """\
Make an API token for USER (default: the user of this shell) straight in the hub's
database, and print it. A hub need not run; the configuration says where the database is.

Through the API of a running hub, see --help of each:

  perijove token list     lists tokens
  perijove token create   makes one, maybe with fewer rights or an end
  perijove token revoke   ends some

A user with one of these names is written after two dashes: perijove token -- list"""

UPGRADE_HELP = """\
Bring the database to the schema of this version. A SQLite file is copied first, of other
databases make a backup yourself. Stop the hub before."""

CHECK_HELP = """\
Read a configuration as the hub would, and say what is wrong with it. The exit code is 1
when a hub would not start with it. Nothing is changed and nothing is started."""

GENERATE_HELP = """\
Write a configuration file that has every option as a comment. Before a file that exists
is replaced you are asked; -y says yes to that."""


def _proxy(argv: list[str]) -> int:
    """Run the proxy."""
    from perijove.proxy.main import main as run

    return run(argv)


def _singleuser(argv: list[str]) -> int:
    """Run a single-user server."""
    from perijove.singleuser.app import main as run

    return run(argv)


def _token(argv: list[str]) -> int:
    """Make tokens for users; list, create or revoke them on a running hub."""
    if argv and argv[0] in TOKEN_VERBS:
        from perijove.commands.token_api import run as ask

        return ask(argv)
    if hub_options.show_help(argv, "token", TOKEN_HELP, "[USER]"):
        return 0
    from perijove.commands.token_database import run

    return run(argv)


def _user(argv: list[str]) -> int:
    """List, show, add, edit and delete users of a running hub."""
    from perijove.commands.user import run

    return run(argv)


def _group(argv: list[str]) -> int:
    """List, show, add and delete groups, and change who is in them."""
    from perijove.commands.group import run

    return run(argv)


def _server(argv: list[str]) -> int:
    """List, start, stop and look at servers of users."""
    from perijove.commands.server import run

    return run(argv)


def _service(argv: list[str]) -> int:
    """List and show services."""
    from perijove.commands.service import run

    return run(argv)


def _share(argv: list[str]) -> int:
    """Say who may use whose server."""
    from perijove.commands.share import run

    return run(argv)


def _plugins(argv: list[str]) -> int:
    """List installed plug-ins, and whether they load."""
    from perijove.commands.plugins import run

    return run(argv)


def _upgrade_db(argv: list[str]) -> int:
    """Bring the database to this version's schema."""
    if hub_options.show_help(argv, "upgrade-db", UPGRADE_HELP):
        return 0
    from perijove.commands.upgrade_db import run

    return run(argv)


def _check_config(argv: list[str]) -> int:
    """Read a configuration and say what is wrong with it."""
    if hub_options.show_help(argv, "check-config", CHECK_HELP):
        return 0
    from perijove.commands.check_config import run

    return run(argv)


def _generate_config(argv: list[str]) -> int:
    """Write a configuration file with all options as comments."""
    if hub_options.show_help(argv, "generate-config", GENERATE_HELP):
        return 0
    return _hub(["--generate-config", *argv])


def _hub(argv: list[str]) -> int:
    """Run the hub."""
    from perijove.commands.hub import run

    return run(argv)


COMMANDS: dict[str, Command] = {
    "proxy": _proxy,
    "singleuser": _singleuser,
    "user": _user,
    "group": _group,
    "token": _token,
    "server": _server,
    "service": _service,
    "share": _share,
    "plugins": _plugins,
    "upgrade-db": _upgrade_db,
    "check-config": _check_config,
    "generate-config": _generate_config,
}


def overview() -> str:
    """All commands, a line each."""
    lines = [f"  {name:<17}{command.__doc__}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: perijove [OPTION ...]            run the hub",
            "       perijove COMMAND [OPTION ...]    do something else; --help says more",
            "",
            "Commands",
            "========",
            *lines,
            "",
            "The hub",
            "=======",
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command, or the hub when none is named; the exit code."""
    args = sys.argv[1:] if argv is None else argv
    if args and args[0] in COMMANDS:
        return COMMANDS[args[0]](args[1:])
    if not hub_options.HELP.isdisjoint(args):
        print(overview(), flush=True)
    return _hub(args)
