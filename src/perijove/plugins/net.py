"""Ports, addresses and waiting for servers, as plug-ins need them."""

import asyncio
import socket
import ssl
import threading
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from perijove.kit.aio import backoff_delays
from perijove.kit.http import Answer, HttpClient
from perijove.kit.urls import unix_socket_of

WILDCARDS = frozenset({"", "*", "0.0.0.0", "::", "[::]", "0"})
"""Addresses that mean "all interfaces"."""

RESERVED_FOR_S = 60.0
"""How long ``random_port`` does not hand out the same port again."""

_reserved: OrderedDict[int, float] = OrderedDict()
_lock = threading.Lock()


def random_port(ip: str = "127.0.0.1") -> int:
    """A free TCP port, which no other caller in this process got within a minute.

    The kernel gives a closed port out again at once, so many servers started
    together would otherwise now and then be told the same one.
    """
    now = time.monotonic()
    with _lock:
        while _reserved and next(iter(_reserved.values())) < now - RESERVED_FOR_S:
            _reserved.popitem(last=False)
        for _ in range(100):
            with socket.socket() as probe:
                probe.bind((ip, 0))
                port = int(probe.getsockname()[1])
            if port not in _reserved:
                break
        _reserved[port] = now
        return port


def connectable(ip: str) -> str:
    """The address to connect to for a server that listens on ``ip``."""
    if ip in {"::", "[::]"}:
        return "::1"
    return "127.0.0.1" if ip in WILDCARDS else ip.strip("[]")


def can_connect(ip: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether something accepts TCP connections there. Blocks for at most ``timeout_s``."""
    try:
        with socket.create_connection((connectable(ip), port), timeout=timeout_s):
            return True
    except OSError:
        return False


async def accepts_connections(url: str, timeout_s: float = 1.0) -> bool:
    """Whether the host and port (or the socket) of ``url`` takes connections."""
    path = unix_socket_of(url)
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(timeout_s):
            if path is not None:
                _, writer = await asyncio.open_unix_connection(path)
            else:
                port = parts.port or (443 if parts.scheme == "https" else 80)
                _, writer = await asyncio.open_connection(connectable(parts.hostname or ""), port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def wait_for_server(url: str, timeout_s: float = 10.0) -> None:
    """Return when ``url`` takes TCP connections. Raises TimeoutError after ``timeout_s``."""
    end = time.monotonic() + timeout_s
    for delay in backoff_delays(start_s=0.05, max_s=0.5):
        if await accepts_connections(url):
            return
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing listens at {url} after {timeout_s:g} seconds")
        await asyncio.sleep(min(delay, left))


async def wait_for_http(
    url: str, timeout_s: float = 10.0, ssl_context: ssl.SSLContext | None = None
) -> Answer:
    """The first answer below 500 to ``GET url``; redirects are not followed.

    Raises TimeoutError after ``timeout_s`` seconds, ValueError for what is no URL.
    """
    end = time.monotonic() + timeout_s
    client = HttpClient(ssl_context, keep=False)
    for delay in backoff_delays():
        try:
            answer = await client.ask("GET", url, timeout_s=max(0.1, end - time.monotonic()))
            if answer.status < 500:
                return answer
            last = f"status {answer.status}"
        except OSError as error:
            last = str(error) or type(error).__name__
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{url} did not answer within {timeout_s:g} seconds: {last}")
        await asyncio.sleep(min(delay, left))
    raise AssertionError("unreachable")


def make_ssl_context(
    keyfile: str,
    certfile: str,
    cafile: str | None = None,
    verify: bool = True,
    check_hostname: bool = True,
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
) -> ssl.SSLContext | None:
    """A TLS context with our certificate that trusts ``cafile``; None without key and certificate.

    ``purpose`` SERVER_AUTH: to call servers. CLIENT_AUTH: to be one, whose
    clients must show a certificate if ``verify`` is on.
    """
    if not keyfile or not certfile:
        return None
    context = ssl.create_default_context(purpose, cafile=cafile)
    if purpose is ssl.Purpose.SERVER_AUTH:
        context.check_hostname = check_hostname and verify
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    elif verify:
        context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certfile, keyfile)
    return context
