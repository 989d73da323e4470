"""Proxies to be measured: where load goes, and nginx and Caddy with the same routes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from . import tools
from .bench import CADDY, NGINX, Bench

ROUTE = "/user/u%05d/"


@dataclass
class Target:
    """Where load can go; cpu gives the CPU seconds that its processes have used so far."""

    label: str
    port: int
    cpu: Callable[[], float]
    pid: int = 0

    @property
    def secure_origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def tree_cpu(pid: int) -> Callable[[], float]:
    """CPU seconds of a process and its children, in the scheduler's nanoseconds."""

    def cpu() -> float:
        main = psutil.Process(pid)
        return sum(scheduled(p.pid) for p in [main, *main.children(recursive=True)]) / 1e9

    return cpu


def scheduled(pid: int) -> int:
    """Nanoseconds on a CPU of the threads that a process has now."""
    spent = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            spent += int((thread / "schedstat").read_text("ascii").split()[0])
    return spent


NGINX_CONF = """\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log nginx-error.log error;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  client_body_temp_path body-temp;
  proxy_temp_path proxy-temp;
  fastcgi_temp_path fastcgi-temp;
  uwsgi_temp_path uwsgi-temp;
  scgi_temp_path scgi-temp;
  client_max_body_size 0;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  keepalive_requests 1000000000;
  map $http_upgrade $upstream_connection {{ default upgrade; '' ''; }}
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096{tls};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $upstream_connection;
    proxy_read_timeout 300s;
{routes}
  }}
}}
"""

CADDYFILE = """\
{{
  admin off
  auto_https off
  log {{
    level ERROR
  }}
}}
{site} {{
{routes}
}}
"""


def start_peers(
    bench: Bench, stack: ExitStack, args, size: int, pair: tuple[Path, Path] | None = None
) -> list[Target]:
    """nginx (one worker) and Caddy as reverse proxies with the same routes; over TLS with a certificate and key."""
    out = []
    for name in args.peers:
        if name == "caddy" and size > args.caddy_routes:
            continue
        directory = bench.workdir / f"{name}-{size}{'-tls' if pair else ''}"
        directory.mkdir(exist_ok=True)
        port = bench.port_base + (NGINX if name == "nginx" else CADDY)
        if name == "nginx":
            routes = "\n".join(f"    location {ROUTE % i} {{ proxy_pass http://backend; }}" for i in range(size))
            tls = ""
            if pair is not None:
                tls = f" ssl;\n    ssl_certificate {pair[0]};\n    ssl_certificate_key {pair[1]}"
            text = NGINX_CONF.format(port=port, backend=bench.backend_port, routes=routes, tls=tls)
            command = [tools.need("nginx"), "-p", directory, "-c", "peer.conf"]
        else:
            backend = f"127.0.0.1:{bench.backend_port}"
            routes = "\n".join(f"  handle {ROUTE % i}* {{\n    reverse_proxy {backend}\n  }}" for i in range(size))
            site = f"http://127.0.0.1:{port}"
            if pair is not None:
                site, routes = f"https://127.0.0.1:{port}", f"  tls {pair[0]} {pair[1]}\n{routes}"
            text = CADDYFILE.format(site=site, routes=routes)
            command = [tools.need("caddy"), "run", "--config", "peer.conf", "--adapter", "caddyfile"]
        (directory / "peer.conf").write_text(text)
        process = stack.enter_context(tools.server(command, port, ROUTE % 0, cwd=directory, tls=pair is not None))
        out.append(Target(name, port, tree_cpu(process.pid)))
    return out
