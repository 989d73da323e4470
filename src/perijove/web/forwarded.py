"""Who the client really is, behind the proxy.

Requests reach the hub through its proxy, which adds the address it was asked
from at the right end of ``X-Forwarded-For``. That one counts, whatever a client
wrote before it; addresses of further trusted proxies (``trusted_downstream_ips``)
are skipped. The hub's own port is not for the public: who can reach it directly
can claim any address.
"""

from collections.abc import MutableMapping
from typing import Any

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Forwarded:
    """Puts the client's address and scheme into the ASGI scope."""

    def __init__(self, trusted: frozenset[str]) -> None:
        """``trusted``: addresses of proxies between the hub's proxy and people."""
        self._trusted = trusted

    def __call__(self, scope: MutableMapping[str, Any]) -> None:
        """Rewrite ``client`` and ``scheme`` from the headers that the proxy set."""
        addresses: list[str] = []
        scheme = ""
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                addresses += [part.strip() for part in value.decode("latin-1").split(",")]
            elif name == b"x-forwarded-proto":
                scheme = value.decode("latin-1").partition(",")[0].strip().lower()
            elif name == b"x-scheme" and not scheme:
                scheme = value.decode("latin-1").strip().lower()
        while len(addresses) > 1 and addresses[-1] in self._trusted:
            addresses.pop()
        if addresses and addresses[-1]:
            scope["client"] = (addresses[-1], 0)
        elif not scope.get("client"):
            # A UNIX socket has no address.
            scope["client"] = ("127.0.0.1", 0)
        if scheme in ("http", "https"):
            scope["scheme"] = scheme
        elif scheme in ("ws", "wss"):
            scope["scheme"] = "https" if scheme == "wss" else "http"
