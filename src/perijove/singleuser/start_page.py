"""Which page opens first."""

from collections.abc import Container

FRONTENDS = {"lab": "/lab", "notebook": "/tree", "retrolab": "/retro", "nbclassic": "/tree"}
"""Extension -> its page, in order of preference."""


def choose_start_page(
    configured: str, ordered: str, preferred: str, extensions: Container[str]
) -> str:
    """The user's configuration, else the hub's order, else the best front end there is.

    ``preferred`` names a front end to look for first; ``/`` when there is none.
    """
    if configured or ordered:
        return configured or ordered
    for name in (preferred, *FRONTENDS):
        if name in FRONTENDS and name in extensions:
            return FRONTENDS[name]
    return "/"
