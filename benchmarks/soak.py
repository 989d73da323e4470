#!/usr/bin/env python3
"""Load on one proxy for a long time, while routes come and go. See README.md.

    soak.py [--seconds 600] [--port-base 18360] [--proxy "perijove proxy"] [--words "--workers 2"]

Four kinds of load run beside each other: requests through routes that stay, each
of which a direct backend would have answered; requests through routes that are
added, used and deleted one after the other; clients that leave in the middle of
a download; and WebSockets that are opened, used and dropped. Ends with status 1
if a request failed, or if memory or open files grew after the first fifth.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from hubbench import tools
from hubbench.hub import raise_fd_limit

TOKEN = "soak"
KEY = base64.b64encode(bytes(16)).decode()
SAMPLE_S = 5.0
GROWTH_MIB = 12.0
GROWTH_FILES = 40
LIMIT_S = 30.0


class Soak:
    """One run; counts what was done and what went wrong."""

    def __init__(self, port: int, backend: int) -> None:
        self.port, self.api, self.backend = port, port + 1, backend
        self.done: dict[str, int] = {}
        self.wrong: list[str] = []

    def count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def fail(self, what: str) -> None:
        self.wrong.append(what)
        print(f"wrong: {what}", file=sys.stderr, flush=True)

    async def api_call(self, method: str, path: str, body: dict | None = None) -> int:
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} /api/routes{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        head += f"Authorization: token {TOKEN}\r\nContent-Length: {len(data)}\r\n\r\n"
        status, _ = await self.whole(self.api, head.encode() + data)
        return status

    async def whole(self, port: int, request: bytes) -> tuple[int, bytes]:
        """One request on a connection of its own, and everything until its end."""
        async with asyncio.timeout(LIMIT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                answer = await reader.read(-1)
            finally:
                writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]) if head else 0, body

    # -- the loads ------------------------------------------------------------
    async def keep_asking(self, number: int) -> None:
        """Requests and uploads one after the other on a connection that is kept."""
        chance = random.Random(number)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while True:
            body = bytes(chance.choice([0, 10, 5_000, 200_000]))
            path = f"/stay/{chance.randrange(50)}/x"
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            async with asyncio.timeout(LIMIT_S):
                writer.write(head.encode() + body)
                answer = await reader.readuntil(b"\r\n\r\n")
                length = int(answer.lower().partition(b"content-length:")[2].split(b"\r")[0])
                await reader.readexactly(length)
            if b" 200 " not in answer[:20]:
                self.fail(f"{path}: {answer[:60]!r}")
            self.count("requests on kept connections")
            await asyncio.sleep(0)

    async def come_and_go(self, number: int) -> None:
        """A route is added, used and deleted, and then is gone."""
        target = {"target": f"http://127.0.0.1:{self.backend}"}
        turn = 0
        while True:
            turn += 1
            key = f"/go/{number}-{turn % 7}"
            get = f"GET {key}/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
            status = await self.api_call("POST", key, target)
            answers = [status]
            answers += [(await self.whole(self.port, get))[0] for _ in range(3)]
            answers.append(await self.api_call("DELETE", key))
            answers.append((await self.whole(self.port, get))[0])
            if answers != [201, 200, 200, 200, 204, 404]:
                self.fail(f"{key}: {answers}")
            self.count("routes that came and went")

    async def leave_early(self) -> None:
        """Ask for much and leave with the answer half read."""
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"GET /stay/1/bytes/20000000 HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(LIMIT_S):
                await reader.readexactly(random.randrange(1, 500_000))
            writer.transport.abort()
            self.count("downloads left early")
            await asyncio.sleep(0.02)

    async def chat(self) -> None:
        """A WebSocket is opened, echoes, and is dropped."""
        head = f"GET /stay/2/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            async with asyncio.timeout(LIMIT_S):
                writer.write(head.encode())
                answer = await reader.readuntil(b"\r\n\r\n")
                for _ in range(20):
                    writer.write(b"\x82\x85\0\0\0\0hello")
                    if await reader.readexactly(7) != b"\x82\x05hello":
                        self.fail("a WebSocket's echo is another")
            if b" 101 " not in answer[:20]:
                self.fail(f"WebSocket: {answer[:60]!r}")
            writer.transport.abort()
            self.count("WebSockets")
            await asyncio.sleep(0.01)

    async def run(self, seconds: float, process: psutil.Process) -> list[tuple[float, int]]:
        """All loads at once; memory in MiB and open files, sampled."""
        for number in range(50):
            await self.api_call("POST", f"/stay/{number}", {"target": f"http://127.0.0.1:{self.backend}"})
        loads = [self.keep_asking(n) for n in range(8)] + [self.come_and_go(n) for n in range(4)]
        loads += [self.leave_early() for _ in range(3)] + [self.chat() for _ in range(4)]
        tasks = [asyncio.create_task(load) for load in loads]
        samples = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.wait(tasks, timeout=min(SAMPLE_S, seconds / 20), return_when=asyncio.FIRST_EXCEPTION)
            for task in tasks:
                if task.done():
                    self.fail(f"{task.get_coro().__name__} ended: {task.exception()!r}")
                    until = 0
            samples.append(measured(process))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return samples


def measured(process: psutil.Process) -> tuple[float, int]:
    """Memory in MiB and open files of a process and those that it started."""
    family = [process, *process.children(recursive=True)]
    return sum(p.memory_info().rss for p in family) / 2**20, sum(p.num_fds() for p in family)


def verdict(samples: list[tuple[float, int]], idle: tuple[float, int], at_end: tuple[float, int]) -> list[str]:
    """What has grown from the second fifth to the last one, or is left when the load is over."""
    fifth = max(1, len(samples) // 5)
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]
    memory = statistics.median(m for m, _ in late) - statistics.median(m for m, _ in early)
    print(f"memory: {idle[0]:.1f} MiB idle, {early[0][0]:.1f} early, {late[-1][0]:.1f} late, {at_end[0]:.1f} after")
    print(f"open files: {idle[1]} idle, {early[0][1]} early, {late[-1][1]} late, {at_end[1]} after")
    grown = []
    if memory > GROWTH_MIB:
        grown.append(f"memory grew by {memory:.1f} MiB")
    if at_end[1] > idle[1] + GROWTH_FILES:
        grown.append(f"{at_end[1] - idle[1]} more files are open than before the load")
    return grown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--port-base", type=int, default=18360)
    parser.add_argument("--proxy", default="perijove proxy", help="its command")
    parser.add_argument("--words", default="", help="options for it")
    args = parser.parse_args()
    raise_fd_limit()
    port, backend = args.port_base, args.port_base + 2
    with tempfile.TemporaryDirectory() as directory:
        hubload = tools.build_hubload(Path(directory))
        command = [*shlex.split(args.proxy), "--ip", "127.0.0.1", "--port", port, "--api-ip", "127.0.0.1"]
        command += ["--api-port", port + 1, "--log-level", "error", *shlex.split(args.words)]
        env = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN}
        with (
            tools.server([hubload, "serve", backend], backend),
            tools.server(command, port + 1, tls=True, env=env) as started,
        ):
            process = psutil.Process(started.pid)
            time.sleep(1)
            soak, idle = Soak(port, backend), measured(process)
            samples = asyncio.run(soak.run(args.seconds, process))
            time.sleep(45 if args.seconds >= 60 else 5)  # unused connections to servers are closed after 30 s
            grown = verdict(samples, idle, measured(process))
    print(json.dumps(soak.done))
    wrong = grown + [f"{len(soak.wrong)} failures, the first: {text}" for text in soak.wrong[:1]]
    print("\n".join(wrong) or "nothing grew, nothing failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tools.ToolError, subprocess.SubprocessError) as error:
        sys.exit(f"soak: {error}")
