"""``perijove token [USER]``: make an API token for a user, straight in the database."""

import asyncio
import getpass
import sys

from perijove.app import HubProcess
from perijove.compat import alias
from perijove.config.load import load_hub
from perijove.config.settings import build_settings
from perijove.domain.errors import ConfigError, PerijoveError
from perijove.people.tokens import TokenRequest

NOTE = "command-line generated"


def run(argv: list[str]) -> int:
    """Print a new token of the named user (default: the system user)."""
    alias.install()
    try:
        loaded = load_hub(argv, max_words=1)
        name = loaded.words[0] if loaded.words else getpass.getuser()
        # A hub's secrets are not for us to make.
        settings = build_settings(loaded.hub, read_only=True)
        token = asyncio.run(_make(HubProcess(loaded, settings), name))
    except PerijoveError as error:
        print(error.message, file=sys.stderr)
        return 1
    print(token)
    return 0


async def _make(process: HubProcess, name: str) -> str:
    async with process.without_serving() as built:
        user = await built.rooms.users.find(name)
        if user is None:
            raise ConfigError(f"No such user: {name}")
        made = await built.rooms.tokens.request(user, TokenRequest(note=NOTE))
        return made.secret
