"""What the commands say about themselves when asked for help."""

import os
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from perijove.commands import group, server, service, share, token_api, user

COMMANDS = (
    "",
    "proxy",
    "singleuser",
    "token",
    "plugins",
    "upgrade-db",
    "check-config",
    "generate-config",
)
ASKING = (user, group, token_api, server, service, share)
"""Commands that ask a running hub, each with commands of its own."""

# Help texts are folded to the width of the terminal; pages have none.
SURROUNDINGS = {"COLUMNS": "100", "NO_COLOR": "1"}


def page() -> str:
    """A section a command, with its help text."""
    with patch.dict(os.environ, SURROUNDINGS):
        parts = [_section(f"perijove {name}".strip(), _help_of(name)) for name in COMMANDS]
        for module in ASKING:
            parts += [_section(leaf.prog, leaf.format_help()) for leaf in leaves(module.parser())]
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    return f"## `{title}`\n\n```text\n{text.strip()}\n```\n"


def _help_of(command: str) -> str:
    perijove = Path(sys.executable).with_name("perijove")
    words = [str(perijove), *command.split(), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def leaves(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """The commands below ``parser`` that do something themselves."""
    inner = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    if not inner:
        yield parser
    for action in inner:
        for choice in action.choices.values():
            yield from leaves(choice)
