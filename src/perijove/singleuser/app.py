"""The command ``perijove singleuser``.

Checks the environment before anything heavy is imported, so that a mistake is
one plain sentence at once, and greets the hub while Jupyter Server loads.
"""

import os
import sys
from collections.abc import Sequence
from functools import partial

from perijove.hubauth.client import fetch_blocking, make_ssl_context
from perijove.hubauth.settings import BadEnvironment
from perijove.singleuser.environment import ServerEnvironment, hide_user_packages
from perijove.singleuser.greeting import greet_in_background

ONLY_TELLING = frozenset({"-h", "--help", "--help-all", "-V", "--version", "--generate-config"})


def main(argv: Sequence[str] | None = None) -> None:
    """Run a single-user server. Exits with 1 and a sentence when it cannot."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if ONLY_TELLING.isdisjoint(arguments):
        sys.exit(_serve(arguments))
    _tell(arguments)


def _serve(arguments: list[str]) -> int | str:
    try:
        env = ServerEnvironment.from_environment(os.environ)
        context = make_ssl_context(env.auth.keyfile, env.auth.certfile, env.auth.client_ca)
    except BadEnvironment as error:
        return str(error)
    except OSError as error:
        named = ", ".join(filter(None, (env.auth.keyfile, env.auth.certfile, env.auth.client_ca)))
        return f"The files named by JUPYTERHUB_SSL_* ({named}) cannot be used: {error}"
    if env.disable_user_config:
        hide_user_packages()
    greeting = greet_in_background(env.auth.api_url, partial(fetch_blocking, ssl_context=context))
    try:
        # Late, since it takes most of a second and needs an extra of the package.
        from perijove.singleuser.extension import run
    except ModuleNotFoundError as error:
        return _missing(error)
    return run(env, greeting, arguments)


def _tell(arguments: list[str]) -> None:
    """Help and version, which need no hub."""
    try:
        # Late for the same reasons as above.
        from perijove.singleuser.extension import launch
    except ModuleNotFoundError as error:
        sys.exit(_missing(error))
    launch(arguments)


def _missing(error: ModuleNotFoundError) -> str:
    return (
        f"perijove singleuser needs Jupyter Server, and {error.name} is not installed here."
        " Install it with: pip install 'perijove[singleuser]'"
    )
