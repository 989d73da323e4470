"""Answers that the proxy gives itself on the public port: error pages and refusals."""

import logging
from abc import abstractmethod
from time import monotonic, time

from perijove.proxy import replies
from perijove.proxy.access import Entry
from perijove.proxy.errors import Page
from perijove.proxy.head import NO_REQUEST
from perijove.proxy.line import CLOSED, HEAD, HOLD_CONNECT, HOLD_SERVER, LINGER, ClientLine
from perijove.proxy.plane import Plane
from perijove.proxy.refusals import Refused
from perijove.proxy.table import Route

log = logging.getLogger("perijove.proxy")


class AnsweringLine(ClientLine):
    """A client's connection that can answer by itself, and keeps account of all answers."""

    __slots__ = ("_began", "_request", "_route", "is_head", "upgrade")

    def __init__(self, plane: Plane, secure: bool, ip: bytes | None = None) -> None:
        super().__init__(plane, secure, ip)
        self._began = 0.0
        self._request = NO_REQUEST
        self._route: Route | None = None
        self.is_head = False
        self.upgrade: bytes | None = None

    @abstractmethod
    def _go_on(self) -> None:
        """An answer is written and the connection is kept."""

    @abstractmethod
    def _end(self) -> None:
        """The last answer is written."""

    def _count(self, status: int, size: int) -> None:
        """Keep account of an answer whose body had ``size`` bytes."""
        plane = self._plane
        plane.metrics.requests_proxy[status] += 1
        if plane.access is not None:
            request, route = self._request, self._route
            took_s = monotonic() - self._began if request is not NO_REQUEST else 0.0
            plane.access.add(
                Entry(
                    time(), self._forwarding.ip, request.method, request.fields.host, request.path,
                    status, size, took_s, route.key if route is not None else None,
                )
            )  # fmt: skip

    def fail(self, code: int) -> None:
        """Answer with an error page; a websocket's handshake gets the bare status."""
        self._drop_server()
        self._release(HOLD_CONNECT | HOLD_SERVER)
        if self.upgrade:
            self.keep = False
            self._answer(code, b"", "")
            return
        path = self._request.target.decode("latin-1")
        page = self._plane.pages.ready(code, path)
        if page is not None:
            self._send_page(code, page)
        else:
            self._fetching = self._plane.tasks.spawn(self._fetch_page(code, path), "error page")

    async def _fetch_page(self, code: int, path: str) -> None:
        page = await self._plane.pages.get(code, path)
        self._fetching = None
        if self._state not in (LINGER, CLOSED):
            self._send_page(code, page)

    def _send_page(self, code: int, page: Page) -> None:
        self._answer(code, page.body, page.content_type, page.fields)

    def _answer(
        self, status: int, body: bytes, content_type: str, fields: tuple[tuple[str, str], ...] = ()
    ) -> None:
        keep = self.keep and self.sent_all
        self._count(status, 0 if self.is_head else len(body))
        self.transport.write(
            replies.reply(
                status, body, content_type, fields=fields, keep=keep, head_only=self.is_head
            )
        )
        if keep:
            self._go_on()
        else:
            self._end()

    def _refuse(self, refused: Refused) -> None:
        """Answer what is no acceptable request, and end."""
        self._drop_server()
        if self._state == HEAD:  # no request could be read
            self._request, self._route = NO_REQUEST, None
        self._count(refused.status, len(refused.reason) + 1)
        log.debug("%d %s", refused.status, refused.reason)
        body = refused.reason.encode() + b"\n"
        self.transport.write(
            replies.reply(
                refused.status,
                body,
                "text/plain; charset=utf-8",
                fields=replies.SAFE_FIELDS,
                keep=False,
            )
        )
        self._linger()
