"""The proxies by themselves, without a hub: their routes, TLS, and memory with idle WebSockets."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from . import tools
from .api import record
from .bench import Bench, say
from .hub import Client
from .proxies import ROUTE, Target, start_peers, tree_cpu

SETTLE_S = 2
TOKEN = "bench"


def add_arguments(parser) -> None:
    hub = os.environ.get("HUB_CMD", "perijove")
    parser.add_argument("--proxy-a", default="configurable-http-proxy", help="command of A's proxy")
    parser.add_argument("--proxy-b", default=f"{hub} proxy", help="command of B's proxy")
    parser.add_argument("--idle-websockets", type=int, default=2_000)


def measure(bench: Bench, args) -> None:
    pair = certificate(bench.workdir)
    with ExitStack() as stack:
        targets = hub_proxies(bench, stack, args, ["--ssl-cert", pair[0], "--ssl-key", pair[1]])
        targets += start_peers(bench, stack, args, 1, pair)
        for connections in (16, 64):
            measure_tls(bench, targets, f"TLS GET c={connections}", connections, {})
        measure_tls(bench, targets, "TLS GET c=16, new connection each", 16, {"Connection": "close"})
    for number in range(bench.rounds):
        say(f"proxy: {args.idle_websockets} idle WebSockets: round {number + 1}/{bench.rounds}")
        with ExitStack() as stack:
            for target in hub_proxies(bench, stack, args, []):
                measure_idle(bench, target, args.idle_websockets)


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate with an RSA key of 2,048 bits, and that key."""
    cert, key = directory / "tls.crt", directory / "tls.key"
    command = [tools.need("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def hub_proxies(bench: Bench, stack: ExitStack, args, words: list) -> list[Target]:
    """The two sides' proxies with one route to the backend."""
    out = []
    commands = {"A": args.proxy_a, "B": args.proxy_b}
    for side in bench.sides:
        command = shlex.split(commands[side.label])
        command += ["--ip", "127.0.0.1", "--port", side.port, "--api-ip", "127.0.0.1", "--api-port", side.port + 1]
        command += ["--log-level", "error", "--default-target", f"http://127.0.0.1:{bench.backend_port}", *words]
        env = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN}
        process = stack.enter_context(tools.server(command, side.port, tls=True, env=env))
        out.append(Target(side.label, side.port, tree_cpu(process.pid), process.pid))
    return out


def add_routes(bench: Bench, target: Target, numbers: range) -> None:
    client = Client(f"http://127.0.0.1:{target.port + 1}", TOKEN)
    for i in numbers:
        body = {"target": f"http://127.0.0.1:{bench.backend_port}"}
        status = client.request("POST", f"/api/routes{ROUTE % i}", body).status
        if status != 201:
            raise tools.ToolError(f"{target.label}: adding a route answered {status}")
    client.close()


def measure_tls(bench: Bench, targets: list[Target], case: str, connections: int, headers: dict) -> None:
    for number in range(1, bench.rounds + 1):
        say(f"proxy: {case}: round {number}/{bench.rounds}")
        for target in targets:
            before = target.cpu()
            load = tools.wrk(target.secure_origin, connections, bench.seconds, headers, path=ROUTE % 0 + "x")
            record(bench, "proxy", case, target.label, load, target.cpu() - before)


def measure_idle(bench: Bench, target: Target, count: int) -> None:
    process = psutil.Process(target.pid)
    before = process.memory_info().rss
    with tools.idle_websockets(bench.hubload, target.port, ROUTE % 0 + "ws", count) as opened:
        time.sleep(SETTLE_S)
        rss = process.memory_info().rss
    add = bench.results.add
    add("proxy", f"{count} idle WebSockets", "rss", target.label, rss / 2**20, "MiB", "less")
    add("proxy", f"{count} idle WebSockets", "rss each", target.label, (rss - before) / count / 1024, "KiB", "less")
    add("proxy", f"{count} idle WebSockets", "open", target.label, opened, "", "more")
