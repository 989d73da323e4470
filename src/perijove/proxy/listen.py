"""Listening sockets: on a port of one, some or all addresses, or on a path."""

import errno
import os
import socket
import stat

_BACKLOG = 4096
_EVERYWHERE = {"", "*", "::", "0"}
_NO_SUCH_FAMILY = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}


def on_port(host: str, port: int, share: bool = False) -> list[socket.socket]:
    """Sockets that listen on ``host``: a name, an address, or empty for all.

    A name may stand for several addresses (``localhost`` for two families), of
    which those count that the machine has. With ``share`` this process, and those
    that it starts, may listen ``beside`` them. Raises OSError, naming the address.
    """
    host = host.strip("[]")
    if host in _EVERYWHERE:
        return [_everywhere(port, share)]
    found = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE, proto=socket.IPPROTO_TCP
    )
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(_listening(family, address, dual=False, share=share))
        except OSError as error:
            if error.errno not in _NO_SUCH_FAMILY:
                for other in sockets:
                    other.close()
                raise _named(error, f"{host}:{port}") from None
            failure = error
    if not sockets:
        assert failure is not None
        raise _named(failure, f"{host}:{port}")
    return sockets


def _everywhere(port: int, share: bool) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return _listening(socket.AF_INET6, ("::", port), dual=True, share=share)
        except OSError as error:
            if error.errno not in _NO_SUCH_FAMILY:
                raise _named(error, f"port {port}") from None
    try:
        return _listening(socket.AF_INET, ("0.0.0.0", port), dual=False, share=share)
    except OSError as error:
        raise _named(error, f"port {port}") from None


def beside(raw: socket.socket) -> socket.socket:
    """Another socket on the port of one that is shared; the kernel deals connections out."""
    dual = False
    if raw.family == socket.AF_INET6:
        dual = not raw.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return _bound(raw.family, raw.getsockname(), dual=dual, share=True)


def _listening(family: int, address: object, dual: bool, share: bool) -> socket.socket:
    raw = _bound(family, address, dual=dual, share=False)
    if not share:
        return raw
    # The port is free, or this would have failed: a shared one alone could not tell.
    address = raw.getsockname()
    raw.close()
    return _bound(family, address, dual=dual, share=True)


def _bound(family: int, address: object, dual: bool, share: bool) -> socket.socket:
    raw = socket.socket(family, socket.SOCK_STREAM)
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        raw.bind(address)  # type: ignore[arg-type]
        raw.listen(_BACKLOG)
        raw.setblocking(False)
    except OSError:
        raw.close()
        raise
    return raw


def on_path(path: str) -> socket.socket:
    """A Unix socket. One that a dead process left behind is replaced; raises OSError if in use."""
    try:
        left_over = stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        left_over = False
    if left_over:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
            except OSError:
                os.unlink(path)
            else:
                raise OSError(errno.EADDRINUSE, f"another process listens on {path}")
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        raw.bind(path)
        raw.listen(_BACKLOG)
        raw.setblocking(False)
    except OSError as error:
        raw.close()
        raise _named(error, path) from None
    return raw


def _named(error: OSError, address: str) -> OSError:
    return OSError(error.errno, f"cannot listen on {address}: {os.strerror(error.errno or 0)}")
