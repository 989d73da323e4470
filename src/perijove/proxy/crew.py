"""Several worker processes on the public port, with one table between them.

This process keeps the API and the table; workers serve people. Each worker has
a listening socket of its own on the shared port (SO_REUSEPORT), which this
process holds too: when a worker dies, its connections wait in that socket for
the one that replaces it. Changes of the table are sent to all workers, and the
API answers when all of them have obeyed. See ``link`` for the messages.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from perijove.proxy.link import Line, Message
from perijove.proxy.metrics import Metrics
from perijove.proxy.plane import Plane
from perijove.proxy.table import Route

log = logging.getLogger("perijove.proxy")

WORKER_VARIABLE = "PERIJOVE_PROXY_WORKER"
"""In a worker's environment: the numbers of its files, the link first, then the sockets."""

_READY_S = 30.0
_SETTLE_S = 5.0
_REPORT_S = 2.0
_REPORT_EVERY_S = 10.0
_QUICK_DEATH_S = 5.0


class _Hand:
    """One worker: its process, its line, its sockets."""

    def __init__(self, number: int, sockets: Sequence[socket.socket]) -> None:
        self.number = number
        self.sockets = sockets
        self.process: subprocess.Popen[bytes] | None = None
        self.line: Line | None = None
        self.sent = 0
        self.done = 0
        self.serves = asyncio.Event()
        self.news = asyncio.Event()
        self.counted: Message | None = None

    def send(self, message: Message) -> None:
        """Send a message under the next number."""
        if self.line is not None:
            self.sent += 1
            self.line.send({**message, "number": self.sent})

    async def obeyed(self, limit_s: float) -> bool:
        """Whether everything sent until now is done within the time, or the worker is gone."""
        number, line = self.sent, self.line
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self.line is line and line is not None and self.done < number:
                    self.news.clear()
                    await self.news.wait()
                return True
        return False


class Workers:
    """All workers of a proxy."""

    def __init__(self, plane: Plane, command: Sequence[str], places: list[list[socket.socket]]):
        """``command`` starts a worker; ``places`` holds each one's sockets."""
        self._plane = plane
        self._command = command
        self._hands = [_Hand(number, sockets) for number, sockets in enumerate(places)]
        self._counted_by_dead = Metrics()
        self._ending = False

    # -- control.Watcher and control.Crew -------------------------------------
    def add(self, route: Route) -> None:
        """Have all workers add a route."""
        for hand in self._hands:
            hand.send(_added(route))

    def remove(self, key: str) -> None:
        """Have all workers remove a route."""
        for hand in self._hands:
            hand.send({"do": "remove", "key": key})

    async def settled(self) -> None:
        """Return when all workers have done what was sent; one that hangs is replaced."""
        done = await asyncio.gather(*(hand.obeyed(_SETTLE_S) for hand in self._hands))
        for hand, obeyed in zip(self._hands, done, strict=True):
            if not obeyed and hand.process is not None:
                log.error("Worker %d does not obey; it is replaced", hand.number)
                hand.process.kill()

    async def report(self) -> None:
        """Bring in what workers have seen and counted."""
        for hand in self._hands:
            hand.send({"do": "report"})
        await asyncio.gather(*(hand.obeyed(_REPORT_S) for hand in self._hands))

    def reload(self) -> None:
        """Have all workers read their certificates anew."""
        for hand in self._hands:
            hand.send({"do": "reload"})

    async def metrics(self) -> Metrics:
        """What this process and all workers have counted."""
        await self.report()
        total = Metrics()
        own = self._plane.metrics
        total.route_get, total.route_add = own.route_get, own.route_add
        total.route_delete, total.requests_api = own.route_delete, own.requests_api
        total.include(self._counted_by_dead.counted())
        for hand in self._hands:
            if hand.counted is not None:
                total.include(hand.counted)
        total.workers = len(self._hands)
        return total

    # -- life -----------------------------------------------------------------
    async def start(self) -> None:
        """Start all workers. Raises OSError when one does not serve in time."""
        for hand in self._hands:
            self._plane.tasks.spawn(self._keep(hand), f"worker {hand.number}")
        self._plane.tasks.spawn(self._report_regularly(), "reports of workers")
        try:
            async with asyncio.timeout(_READY_S):
                for hand in self._hands:
                    await hand.serves.wait()
        except TimeoutError:
            raise OSError("the workers do not start") from None

    async def _report_regularly(self) -> None:
        while True:
            await asyncio.sleep(_REPORT_EVERY_S)
            await self.report()

    async def _keep(self, hand: _Hand) -> None:
        """Run a worker, and another whenever it dies."""
        loop = asyncio.get_running_loop()
        while not self._ending:
            began = loop.time()
            await self._run(hand)
            if self._ending:
                return
            log.error("Worker %d has died; another one starts", hand.number)
            if loop.time() - began < _QUICK_DEATH_S:
                await asyncio.sleep(1.0)

    async def _run(self, hand: _Hand) -> None:
        """One life of a worker."""
        near, hand.process = self._start_process(hand)
        hand.line = line = await Line.on(near)
        hand.sent = hand.done = 0
        for route in self._plane.table:
            hand.send(_added(route))
        hand.send({"do": "serve"})
        while (message := await line.receive()) is not None:
            self._take(hand, message)
        hand.line = None
        hand.serves.clear()
        hand.news.set()
        line.close()
        if hand.counted is not None:
            hand.counted["numbers"]["connections"] = 0
            self._counted_by_dead.include(hand.counted)
            hand.counted = None
        await self._reap(hand.process)

    def _start_process(self, hand: _Hand) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        near, far = socket.socketpair()
        files = [far.fileno(), *(raw.fileno() for raw in hand.sockets)]
        process = subprocess.Popen(
            self._command,
            env={**os.environ, WORKER_VARIABLE: ",".join(map(str, files))},
            pass_fds=files,
            stdin=subprocess.DEVNULL,
        )
        far.close()
        return near, process

    def _take(self, hand: _Hand, message: Message) -> None:
        if message["is"] == "done":
            hand.done = message["number"]
            hand.news.set()
        elif message["is"] == "ready":
            hand.serves.set()
        else:
            hand.counted = message["metrics"]
            for key, moment_s in message["activity"].items():
                route = self._plane.table.get(key)
                if route is not None and route.last_activity_s < moment_s:
                    route.last_activity_s = moment_s

    @staticmethod
    async def _reap(process: subprocess.Popen[bytes]) -> None:
        """A worker without its line has ended, or is about to."""
        for _ in range(100):
            if process.poll() is not None:
                return
            await asyncio.sleep(0.02)
        process.kill()
        process.wait()

    async def end(self, limit_s: float) -> None:
        """Have all workers finish what runs, and end them."""
        self._ending = True
        for hand in self._hands:
            hand.send({"do": "end"})
        until = asyncio.get_running_loop().time() + limit_s
        processes = [hand.process for hand in self._hands if hand.process is not None]
        while any(process.poll() is None for process in processes):
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(0.02)
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def _added(route: Route) -> Message:
    return {"do": "add", "key": route.key, "url": route.target.url, "data": route.data}


def files_of_worker(value: str) -> tuple[socket.socket, list[socket.socket]]:
    """The link and the listening sockets that the environment names."""
    numbers = [int(word) for word in value.split(",")]
    link, *sockets = [socket.socket(fileno=number) for number in numbers]
    return link, sockets


def worker_command(argv: Sequence[str]) -> list[str]:
    """The command that runs this program anew with the same options."""
    return [sys.executable, "-m", "perijove.proxy.main", *argv]
