"""Error pages: the hub's, the operator's, or our own.

With an error target the page comes from ``URL/CODE?url=PATH``, which is the
hub, and a dead server makes many clients ask at once. So pages are kept for a
few seconds, one fetch serves all who wait for it, few run at once, and a hub
that does not answer is left alone for a moment. Then the built-in page shows.
"""

import logging
import ssl
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import NamedTuple
from urllib.parse import quote

from perijove.kit.aio import SingleFlight
from perijove.kit.http import HttpClient
from perijove.proxy import replies
from perijove.proxy.limits import MAX_ERROR_PAGE_BYTES
from perijove.proxy.targets import Target

log = logging.getLogger("perijove.proxy")

KEEP_S = 5.0
"""How long a page is shown again without asking."""

_RETRY_S = 2.0
_FETCH_S = 5.0
_KEPT_PAGES = 64
_MAX_FETCHES = 16
_PASSED_ON = (
    "content-encoding", "content-security-policy", "cross-origin-opener-policy",
    "x-content-type-options", "referrer-policy",
)  # fmt: skip


class Page(NamedTuple):
    """An error page's body, type and further fields."""

    body: bytes
    content_type: str
    fields: tuple[tuple[str, str], ...] = ()


def built_in(code: int) -> Page:
    """Our own page for a status."""
    return Page(replies.page(code), "text/html; charset=utf-8", replies.SAFE_FIELDS)


class ErrorPages:
    """Finds the page for a status and the path that was asked for."""

    def __init__(
        self,
        target: Target | None = None,
        directory: Path | None = None,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._target = target
        self._directory = directory
        self._http = HttpClient(tls, keep=False, max_bytes=MAX_ERROR_PAGE_BYTES)
        self._now = now
        self._kept: OrderedDict[tuple[int, str], tuple[float, Page]] = OrderedDict()
        self._flights = SingleFlight()
        self._fetches = 0
        self._silent_until = 0.0

    def ready(self, code: int, path: str) -> Page | None:
        """The page, if no waiting is needed for it."""
        if self._target is None:
            return self._from_directory(code) or built_in(code)
        kept = self._kept.get((code, path))
        if kept is not None and kept[0] > self._now():
            return kept[1]
        if self._silent_until > self._now() or self._fetches >= _MAX_FETCHES:
            return built_in(code)
        return None

    async def get(self, code: int, path: str) -> Page:
        """The page, from the error target if it answers. Never raises."""
        ready = self.ready(code, path)
        if ready is not None:
            return ready
        page: Page = await self._flights.run((code, path), lambda: self._fetch(code, path))
        return page

    async def _fetch(self, code: int, path: str) -> Page:
        target = self._target
        assert target is not None
        self._fetches += 1
        try:
            got = await self._http.ask(
                "GET",
                f"{_url_of(target)}/{code}?url={quote(path, safe='')}",
                headers={"Accept": "text/html, */*", "User-Agent": "perijove-proxy"},
                timeout_s=_FETCH_S,
            )
            if got.status != 200 and got.status != code:
                raise ConnectionError(f"status {got.status}")
        except (OSError, ValueError) as error:
            log.warning("No error page for %d from %s: %s", code, target.url, error)
            self._silent_until = self._now() + _RETRY_S
            return built_in(code)
        finally:
            self._fetches -= 1
        own = tuple(
            (name, value) for name, value in replies.KEPT_APART if name.lower() not in got.headers
        )
        fields = own + tuple(
            (name.title(), got.headers[name]) for name in _PASSED_ON if name in got.headers
        )
        page = Page(got.body, got.headers.get("content-type", "text/html"), fields)
        self._kept[(code, path)] = (self._now() + KEEP_S, page)
        while len(self._kept) > _KEPT_PAGES:
            self._kept.popitem(last=False)
        return page

    def _from_directory(self, code: int) -> Page | None:
        """``CODE.html`` or ``error.html`` of the operator's directory."""
        if self._directory is None:
            return None
        for name in (f"{code}.html", "error.html"):
            try:
                body = (self._directory / name).read_bytes()
                return Page(body, "text/html; charset=utf-8", replies.KEPT_APART)
            except OSError:
                continue
        return None


def _url_of(target: Target) -> str:
    """Where a target is, as ``kit.http`` has it, without a trailing slash."""
    base = target.base.decode("ascii")
    if target.socket is not None:
        return f"http+unix://{quote(target.socket, safe='')}{base}"
    return f"{'https' if target.tls else 'http'}://{target.authority.decode('ascii')}{base}"
