"""The command ``perijove singleuser``.

Checks the environment before anything heavy is imported, so that a mistake is
one plain sentence at once, and greets the hub while Jupyter Server loads.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial

from perijove.hubauth.client import fetch_blocking
from perijove.hubauth.settings import BadEnvironment
from perijove.kit.tls import make_caller_context
from perijove.singleuser.environment import ServerEnvironment, hide_user_packages
from perijove.singleuser.greeting import greet_in_background

GRACE_S = 2.0
"""How long threads of extensions may go on after the server has stopped."""

ONLY_TELLING = frozenset({"-h", "--help", "--help-all", "-V", "--version", "--generate-config"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run a single-user server; returns the exit status, 1 with a sentence when it cannot."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    outcome = _serve(arguments) if ONLY_TELLING.isdisjoint(arguments) else _tell(arguments)
    if isinstance(outcome, str):
        print(outcome, file=sys.stderr)
        return 1
    return outcome


def _serve(arguments: list[str]) -> int | str:
    try:
        env = ServerEnvironment.from_environment(os.environ)
        context = make_caller_context(env.auth.keyfile, env.auth.certfile, env.auth.client_ca)
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
    status = run(env, greeting, arguments)
    _leave_threads_behind(status)
    return status


def _leave_threads_behind(status: int) -> None:
    """End the process now if threads would keep it alive for ever.

    Kernels are stopped and files are written by then; what is left are threads
    such as those of a thread pool whose event loop is gone. Waiting for them,
    as the interpreter does, would end in the hub killing the process.
    """
    deadline = time.monotonic() + GRACE_S
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)


def _tell(arguments: list[str]) -> int | str:
    """Help and version, which need no hub."""
    try:
        # Late for the same reasons as above.
        from perijove.singleuser.extension import launch
    except ModuleNotFoundError as error:
        return _missing(error)
    launch(arguments)
    return 0


def _missing(error: ModuleNotFoundError) -> str:
    return (
        f"perijove singleuser needs Jupyter Server, and {error.name} is not installed here."
        " Install it with: pip install 'perijove[singleuser]'"
    )
