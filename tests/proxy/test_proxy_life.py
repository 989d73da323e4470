"""Several workers, a successor, and routes that outlive the process: with real processes."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from proxy_kit import closed_port
from proxy_process import LIMIT_S, Process

from free_ports import free_ports

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = sys.argv[2].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition that the name says."""
    end = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {LIMIT_S} s: {what}"
        time.sleep(0.02)
    return found


def answers(process: Process, path: str) -> str:
    """The body that the public port gives, or the status of an error, or ``nothing``."""
    try:
        return process.get(path).decode()
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError:
        return "nothing"


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    """A server in a process of its own; its URL."""
    (port,) = free_ports(1)
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port), "hello"])

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens, "the server listens")
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def workers_of(process: Process) -> list[psutil.Process]:
    """The worker processes."""
    return psutil.Process(process.popen.pid).children()


def test_all_workers_know_a_route_before_the_api_answers(start: Any, backend: str) -> None:
    process = start("--workers", "3")
    process.wait_until_it_listens()
    assert len(workers_of(process)) == 3
    for number in range(5):
        process.api("POST", f"/r{number}", {"target": backend})
        assert {answers(process, f"/r{number}/x") for _ in range(12)} == {"hello"}
        process.api("DELETE", f"/r{number}")
        assert {answers(process, f"/r{number}/x") for _ in range(12)} == {"404"}
    status, output = process.end()
    assert status == 2
    assert "Traceback" not in output


def test_what_workers_see_is_brought_together(start: Any, backend: str) -> None:
    (port,) = free_ports(1)
    process = start("--workers", "2", "--metrics-ip", "127.0.0.1", "--metrics-port", str(port))
    process.wait_until_it_listens()
    process.api("POST", "/a", {"target": backend})
    before = process.api("GET", "/a")["last_activity"]
    time.sleep(0.01)
    for _ in range(20):
        assert answers(process, "/a") == "hello"
    assert process.api("GET", "/a")["last_activity"] > before
    assert 'requests_proxy{status="200"} 20' in process.get("/metrics", port).decode()
    (one, _) = workers_of(process)
    one.kill()
    until(lambda: len(workers_of(process)) == 2 and one not in workers_of(process), "a new worker")
    assert 'requests_proxy{status="200"} 20' in process.get("/metrics", port).decode()


def test_a_dead_worker_is_replaced_and_its_connections_wait(start: Any, backend: str) -> None:
    process = start("--workers", "2")
    process.wait_until_it_listens()
    process.api("POST", "/a", {"target": backend})
    dead = workers_of(process)
    for worker in dead:
        worker.kill()
    assert {answers(process, "/a") for _ in range(10)} == {"hello"}
    assert not set(dead) & set(workers_of(process))
    process.api("POST", "/b", {"target": backend})
    assert {answers(process, "/b") for _ in range(10)} == {"hello"}


def test_workers_end_with_the_process_that_started_them(start: Any) -> None:
    process = start("--workers", "2")
    process.wait_until_it_listens()
    workers = workers_of(process)
    process.popen.kill()
    _, alive = psutil.wait_procs(workers, timeout=LIMIT_S)
    assert not alive


def test_routes_in_the_file_are_served_without_a_hub(
    start: Any, backend: str, tmp_path: Path
) -> None:
    file = tmp_path / "routes"
    process = start("--snapshot", str(file))
    process.wait_until_it_listens()
    process.api("POST", "/a", {"target": backend, "user": "ada"})
    process.api("POST", "/gone", {"target": backend})
    process.api("DELETE", "/gone")
    listed = process.api("GET", "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    process.end(signal.SIGKILL)
    with file.open("a") as out:
        out.write('{"key": "/cut of')
    second = start("--snapshot", str(file))
    second.wait_until_it_listens()
    assert answers(second, "/a") == "hello"
    assert answers(second, "/gone") == "404"
    again = second.api("GET", "")
    assert {key: {**data, "last_activity": ""} for key, data in again.items()} == {
        key: {**data, "last_activity": ""} for key, data in listed.items()
    }
    assert "1 lines are no routes" in second.end()[1]


def keep_asking(process: Process, backend_says: str, stop: Callable[[], bool]) -> list[str]:
    """Everything that new connections were answered, until ``stop``."""
    seen = []
    while not stop():
        seen.append(answers(process, "/a"))
    return [answer for answer in seen if answer != backend_says]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_successor_takes_over_without_a_gap(
    start: Any, backend: str, tmp_path: Path, workers: str
) -> None:
    pid_file = tmp_path / "pid"
    words = ["--pid-file", str(pid_file), "--workers", workers, "--snapshot", str(tmp_path / "r")]
    process = start(*words)
    process.wait_until_it_listens()
    until(pid_file.exists, "the process id is written")
    process.api("POST", "/a", {"target": backend, "user": "ada"})
    before = process.api("GET", "")
    process.popen.send_signal(signal.SIGUSR2)
    wrong = keep_asking(process, "hello", lambda: process.popen.poll() is not None)
    successor = int(pid_file.read_text())
    try:
        assert wrong == []
        assert process.popen.returncode == 0
        assert successor != process.popen.pid
        assert answers(process, "/a") == "hello"
        after = process.api("GET", "")
        assert after["/a"].items() >= {"target": backend, "user": "ada"}.items()
        assert after["/a"]["last_activity"] >= before["/a"]["last_activity"]
        process.api("POST", "/b", {"target": backend})
        assert answers(process, "/b") == "hello"
    finally:
        os.kill(successor, signal.SIGTERM)
    until(lambda: answers(process, "/a") == "nothing", "the successor ends")
    until(lambda: not pid_file.exists(), "the process id is taken away")


def test_a_successor_that_fails_leaves_everything_as_it_was(
    start: Any, backend: str, tmp_path: Path
) -> None:
    pages = tmp_path / "access.log"
    process = start("--access-log", str(pages))
    process.wait_until_it_listens()
    process.api("POST", "/a", {"target": backend})
    until(pages.exists, "the file is there")
    pages.unlink()
    tmp_path.chmod(0o700)
    pages.mkdir()  # a successor cannot open it
    process.popen.send_signal(signal.SIGUSR2)

    parent = psutil.Process(process.popen.pid)
    until(parent.children, "a successor starts")
    until(lambda: not parent.children(), "the successor ends")
    pages.rmdir()
    process.api("POST", "/b", {"target": backend})
    assert answers(process, "/b") == "hello"
    status, output = process.end()
    assert status == 2
    assert "The successor does not serve" in output


def test_the_variables_of_a_takeover_are_not_passed_on(start: Any) -> None:
    process = start("--workers", "2")
    process.wait_until_it_listens()
    environment = psutil.Process(process.popen.pid).environ()
    assert not any(name.startswith("PERIJOVE_PROXY") for name in environment)


def test_a_unix_socket_is_kept_for_the_successor(start: Any, tmp_path: Path) -> None:
    path, pid_file = tmp_path / "public", tmp_path / "pid"
    process = Process.__new__(Process)
    process.api_port = closed_port()
    command = [
        sys.executable, "-m", "perijove.proxy.main", "--socket", str(path),
        "--api-ip", "127.0.0.1", "--api-port", str(process.api_port), "--pid-file", str(pid_file),
    ]  # fmt: skip
    process.popen = subprocess.Popen(
        command, env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": "secret"}
    )

    def healthy() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)):
                return False
            client.sendall(b"GET /_chp_healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return client.recv(1000).endswith(
                json.dumps({"status": "OK"}).replace(" ", "").encode()
            )

    until(healthy, "it listens")
    until(pid_file.exists, "the process id is written")
    process.popen.send_signal(signal.SIGUSR2)
    assert process.popen.wait(LIMIT_S) == 0
    assert healthy()
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    until(lambda: not path.exists(), "the successor takes its socket away")
