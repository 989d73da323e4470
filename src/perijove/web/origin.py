"""Whether a page of the hub sent a browser here, or a page of somebody else.

A link can start a server or end a session, so a page of another site or of
another person's server must not be able to follow it on somebody's behalf.
Browsers say where a request comes from in ``Sec-Fetch-Site`` (on https and on
the machine itself) and ``Referer``. Who typed the address, or uses a program, is
asked nothing.

The host that a Referer names is true. Its path is not: a page may show any path
of its own host as its address (``history.replaceState``), and without subdomains
people's pages share the hub's host.
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from perijove.routes.addresses import Addresses


def sent_by_stranger(
    request: Request, addresses: Addresses, visitor: str, *, believing_paths: bool = False
) -> bool:
    """Whether a page that is neither the hub's nor the visitor's own may have sent this.

    ``visitor`` is the name of the person whose browser it is. ``believing_paths``
    takes a page on the hub's own host for what its path says, services included:
    enough where being deceived costs nothing that counts.
    """
    site = request.headers.get("sec-fetch-site")
    referer = request.headers.get("referer")
    if site == "cross-site":
        return True
    if site in {"same-origin", "same-site"}:
        if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            return True
    elif site is not None or referer is None:
        return False
    if referer is None:
        return True
    try:
        page = urlsplit(referer)
    except ValueError:
        return True
    host = page.netloc.lower()
    if addresses.domain:
        return host not in _hosts(addresses, visitor)
    is_here = host == request.headers.get("host", "").lower()
    return not (believing_paths and is_here and _is_own_path(page.path, addresses, visitor))


def _hosts(addresses: Addresses, visitor: str) -> set[str]:
    """The hosts on which only the hub or the visitor's own servers have pages."""
    origins = (addresses.public_origin, addresses.origin_of(addresses.user_host(visitor)))
    return {urlsplit(origin).netloc.lower() for origin in origins if origin}


def _is_own_path(path: str, addresses: Addresses, visitor: str) -> bool:
    if path in {"", "/"}:
        return False  # all that is told of a page that hides its address
    servers = f"{addresses.base_url}user/"
    return not path.startswith(servers) or path.startswith(addresses.server_path(visitor, ""))
