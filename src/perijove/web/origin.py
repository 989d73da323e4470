"""Whether a page of the hub sent a browser here, or a page of somebody else.

A link can start a server or end a session, so a page of another site or of
another person's server must not be able to follow it on somebody's behalf.
Browsers say where a request comes from in ``Sec-Fetch-Site`` (on https and on
the machine itself) and ``Referer``. Who typed the address, or uses a program, is
asked nothing.
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from perijove.routes.addresses import Addresses


def sent_by_stranger(request: Request, addresses: Addresses, visitor: str) -> bool:
    """Whether a page that is neither the hub's, a service's nor the visitor's own sent this.

    ``visitor`` is the name of the person whose browser it is.
    """
    site = request.headers.get("sec-fetch-site")
    referer = request.headers.get("referer")
    if site == "cross-site":
        return True
    if site in {"same-origin", "same-site"}:
        if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            return True
        return referer is None or not _is_trusted(request, referer, addresses, visitor)
    if site is None and referer is not None:
        return not _is_trusted(request, referer, addresses, visitor)
    return False


def _is_trusted(request: Request, referer: str, addresses: Addresses, visitor: str) -> bool:
    try:
        page = urlsplit(referer)
    except ValueError:
        return False
    host = request.headers.get("host", "").lower()
    if page.netloc.lower() == host:
        return _path_is_trusted(page.path, addresses, visitor)
    # From another host only its name is told, and with subdomains that is enough.
    own = urlsplit(addresses.origin_of(addresses.user_host(visitor)))
    return bool(own.netloc) and page.netloc.lower() == own.netloc.lower()


def _path_is_trusted(path: str, addresses: Addresses, visitor: str) -> bool:
    if path in {"", "/"}:
        return False  # all that is told of a page that hides its address
    servers = f"{addresses.base_url}user/"
    return not path.startswith(servers) or path.startswith(addresses.server_path(visitor, ""))
