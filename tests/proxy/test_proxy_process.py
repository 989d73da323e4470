"""The command itself: start, files, signals, and life without a parent."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any

import psutil
import pytest
from proxy_process import LIMIT_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_2(start: Any, tmp_path: Path, number: int) -> None:
    pid_file = tmp_path / "proxy.pid"
    process = start("--pid-file", str(pid_file))
    process.wait_until_it_listens()
    assert json.loads(process.get("/_chp_healthz")) == {"status": "OK"}
    assert pid_file.read_text() == str(process.popen.pid)
    began = time.monotonic()
    status, output = process.end(number)
    assert status == 2
    assert time.monotonic() - began < 5
    assert not pid_file.exists()
    assert "[ConfigProxy] info: Proxying http://127.0.0.1" in output


def test_it_ends_within_a_second_though_a_client_stays(start: Any) -> None:
    process = start()
    process.wait_until_it_listens()
    with socket.create_connection(("127.0.0.1", process.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        began = time.monotonic()
        assert process.end()[0] == 2
        assert time.monotonic() - began < 3  # 0.7 s, and a machine that is busy


def test_it_warns_when_the_api_is_open(start: Any) -> None:
    process = start(token="")
    process.wait_until_it_listens()
    assert process.get("/api/routes", process.api_port) == b"{}"
    _, output = process.end()
    assert "warn: CONFIGPROXY_AUTH_TOKEN is not set" in output


def test_the_secret_is_neither_shown_nor_logged(start: Any) -> None:
    process = start("--log-level", "debug", token="very-secret")
    process.wait_until_it_listens()
    with pytest.raises(urllib.error.HTTPError):
        process.get("/api/routes?token=very-secret", process.api_port)
    with pytest.raises(urllib.error.HTTPError):
        process.get("/user/x?token=very-secret")
    assert "very-secret" not in " ".join(psutil.Process(process.popen.pid).cmdline())
    assert "very-secret" not in process.end()[1]


def test_a_port_in_use_is_named_and_ends_with_status_1(start: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--metrics-ip", "127.0.0.1", "--metrics-port", str(port))
        output, _ = process.popen.communicate(timeout=LIMIT_S)
    assert process.popen.returncode == 1
    assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in output
    assert "Traceback" not in output


def test_a_bad_certificate_ends_with_status_1(start: Any) -> None:
    process = start("--ssl-key", "/nowhere", "--ssl-cert", "/nowhere")
    output, _ = process.popen.communicate(timeout=LIMIT_S)
    assert process.popen.returncode == 1
    assert "--ssl-key, --ssl-cert" in output
    assert "Traceback" not in output


def test_the_default_target_is_a_route(start: Any) -> None:
    process = start("--default-target", "http://127.0.0.1:1/x", token="")
    process.wait_until_it_listens()
    listed = json.loads(process.get("/api/routes", process.api_port))
    assert listed["/"]["target"] == "http://127.0.0.1:1/x"
    with pytest.raises(urllib.error.HTTPError) as error:
        process.get("/any")
    assert error.value.code == 503


def test_it_goes_on_when_nobody_reads_its_log(start: Any) -> None:
    process = start(token="")
    process.wait_until_it_listens()
    assert process.popen.stdout is not None
    process.popen.stdout.close()
    for _ in range(5):
        assert process.get("/api/routes", process.api_port) == b"{}"
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(LIMIT_S) == 2


def test_starting_loads_no_web_framework_and_little_memory(start: Any) -> None:
    process = start()
    process.wait_until_it_listens()
    memory = psutil.Process(process.popen.pid).memory_info().rss
    assert memory < 45 << 20
    code = (
        "import sys, perijove.proxy.main;"
        "print(sorted(set(sys.modules) & {'aiohttp', 'fastapi', 'sqlalchemy', 'tornado',"
        " 'traitlets', 'cryptography', 'prometheus_client', 'pydantic', 'jinja2'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    assert found.stdout.strip() == "[]"


def test_it_listens_on_all_addresses_of_both_families(start: Any) -> None:
    for word in ("", "::", "*"):
        process = start("--ip", word)
        process.wait_until_it_listens()
        addresses = {"127.0.0.1"} | ({"::1"} if socket.has_dualstack_ipv6() else set())
        for address in addresses:
            with socket.create_connection((address, process.port), 5) as client:
                client.sendall(b"GET /_chp_healthz HTTP/1.0\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert process.end()[0] == 2
