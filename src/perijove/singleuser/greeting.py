"""The first word with the hub: is it there, and does it speak our version?

Asked in a thread while Jupyter Server is imported, so that a start does not
take longer for it. A server that cannot reach its hub is of no use, since
nobody can sign in: it ends, and the hub (or whoever looks) sees why.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from perijove._version import INTERFACE_VERSION
from perijove.hubauth.client import HubReply, HubRequest, HubUnreachable

WAITS_S = (2.0, 4.0, 8.0, 16.0)
"""Between five tries; about half a minute in all, enough for a hub that restarts."""

VERSION_HEADER = "x-jupyterhub-version"

log = logging.getLogger("perijove.singleuser")


@dataclass(frozen=True, slots=True)
class Remark:
    """What to log about the hub's version."""

    level: int
    text: str


def compare_versions(hub_version: str, own_version: str = INTERFACE_VERSION) -> Remark:
    """Whether hub and server fit: the first number decides."""
    if not hub_version:
        return Remark(
            logging.WARNING,
            "The hub does not say its version; it is likely older than 0.8,"
            f" and this server speaks {own_version}.",
        )
    if hub_version.split(".")[0] != own_version.split(".")[0]:
        return Remark(
            logging.WARNING,
            f"The hub has version {hub_version} and this server speaks {own_version};"
            " they may not understand each other.",
        )
    return Remark(logging.DEBUG, f"The hub has version {hub_version}, which fits {own_version}.")


def greet(
    api_url: str,
    fetch: Callable[[HubRequest], HubReply],
    sleep: Callable[[float], None] = time.sleep,
    waits_s: tuple[float, ...] = WAITS_S,
) -> Remark:
    """Ask for the hub's version until it answers. Raises HubUnreachable after the last try."""
    for wait_s in (*waits_s, None):
        try:
            reply = fetch(HubRequest("GET", api_url))
        except HubUnreachable as error:
            if wait_s is None:
                raise
            log.warning("%s Trying again in %g seconds.", error, wait_s)
            sleep(wait_s)
        else:
            return compare_versions(reply.headers.get(VERSION_HEADER, ""))
    raise AssertionError("unreachable: the last try returns or raises")


def greet_in_background(api_url: str, fetch: Callable[[HubRequest], HubReply]) -> Future[Remark]:
    """``greet`` in a daemon thread, which does not keep a stopping process alive."""
    future: Future[Remark] = Future()

    def run() -> None:
        try:
            future.set_result(greet(api_url, fetch))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name="greet-hub", daemon=True).start()
    return future
