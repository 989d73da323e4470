"""The proxy process and its REST API, with our own proxy as the program."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from plugins_factories import make_context

from free_ports import free_ports
from perijove.domain.errors import ConfigError
from perijove.plugins.chp import ConfigurableHTTPProxy
from perijove.plugins.processes import is_alive

PUBLIC, API, OTHER = free_ports(3)
SECRET = b"secret of the hub"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    made: list[ConfigurableHTTPProxy] = []

    def build(**kwargs: Any) -> ConfigurableHTTPProxy:
        values: dict[str, Any] = {
            "hub": make_context().hub,
            "public_url": f"http://127.0.0.1:{PUBLIC}",
            "api_url": f"http://127.0.0.1:{API}",
            "pid_file": str(tmp_path / "proxy.pid"),
            "_auth_secret": SECRET,
            "log_level": "error",
        }
        proxy = ConfigurableHTTPProxy(**(values | kwargs))
        made.append(proxy)
        return proxy

    yield build
    for proxy in made:
        process = proxy._process
        if process is not None and process.pid and process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)


async def wait_until(condition: Any, what: str, timeout_s: float = 10) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"waited {timeout_s} s for {what}"
        await asyncio.sleep(0.02)


def pid_of(proxy: ConfigurableHTTPProxy) -> int:
    assert proxy._process is not None
    return proxy._process.pid


# -- command line ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("public_url", "words"),
    [
        ("http://0.0.0.0:8000", ["--ip", "0.0.0.0", "--port", "8000"]),
        ("http://:8000/base/", ["--port", "8000"]),
        ("http://[::]:8000", ["--ip", "::", "--port", "8000"]),
        ("https://host", ["--ip", "host", "--port", "443"]),
        ("http+unix://%2Ftmp%2Fpublic", ["--socket", "/tmp/public"]),
    ],
)
def test_the_public_address_is_the_operators(make: Any, public_url: str, words: list[str]) -> None:
    options = make(public_url=public_url)._options()
    assert options[: len(words)] == words
    assert "--ip" in options or "--ip" not in words


def test_all_options_are_handed_on(make: Any) -> None:
    proxy = make(
        api_url="http+unix://%2Ftmp%2Fapi", host_routing=True, ssl_key="k", ssl_cert="c", debug=True
    )
    assert proxy._options() == [
        *["--ip", "127.0.0.1", "--port", str(PUBLIC), "--api-socket", "/tmp/api"],
        *["--error-target", "http://127.0.0.1:18400/base/hub/error", "--log-level", "debug"],
        *["--host-routing", "--ssl-key", "k", "--ssl-cert", "c"],
    ]


def test_the_token_comes_from_the_operator_or_outlives_the_hub(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONFIGPROXY_AUTH_TOKEN", raising=False)
    assert make().auth_token == make().auth_token != make(_auth_secret=b"other").auth_token
    assert SECRET.decode() not in make().auth_token
    assert make(auth_token="own").auth_token == "own"
    with pytest.raises(ConfigError, match="auth_token"):
        make(should_start=False)
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "from-env")
    assert make(should_start=False).auth_token == "from-env"


@pytest.mark.parametrize(
    ("host_routing", "spec", "path"),
    [
        (False, "/", "/"),
        (False, "/user/%C3%BCser@x/", "/user/%C3%BCser@x"),
        (True, "a.hub/user/a/", "/a.hub/user/a"),
        (True, "/", "/"),
    ],
)
def test_routespecs_and_paths_translate_both_ways(
    make: Any, host_routing: bool, spec: str, path: str
) -> None:
    from urllib.parse import unquote

    proxy = make(host_routing=host_routing)
    assert proxy._path_of(spec) == path
    assert proxy._spec_of(unquote(path)) == spec


# -- the real thing ------------------------------------------------------------------
async def test_routes_are_added_listed_and_deleted_without_touching_foreign_ones(make: Any) -> None:
    proxy = make()
    await proxy.start()
    specs = ["/", "/user/%C3%BCser@x/", "/user/sp%20ace/lab-1/", "/user/per%25cent/"]
    for spec in specs:
        await proxy.add_route(spec, f"http://127.0.0.1:{OTHER}", {"user": spec})
    headers = {"Authorization": f"token {proxy.auth_token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        body = {"target": "http://127.0.0.1:1"}
        async with session.post(f"{proxy.api_url}/api/routes/foreign", json=body) as reply:
            assert reply.status == 201
    routes = await proxy.get_all_routes()
    assert sorted(routes) == sorted(specs)
    entry = routes["/user/sp%20ace/lab-1/"]
    assert entry["target"].rstrip("/") == f"http://127.0.0.1:{OTHER}"
    assert entry["data"]["user"] == "/user/sp%20ace/lab-1/"
    assert "last_activity" in entry["data"]
    for spec in specs:
        await proxy.delete_route(spec)
    await proxy.delete_route("/user/never-there/")
    assert await proxy.get_all_routes() == {}
    await proxy.stop()


async def test_the_next_hub_goes_on_with_the_running_proxy(make: Any, tmp_path: Path) -> None:
    first = make()
    await first.start()
    await first.add_route("/a/", f"http://127.0.0.1:{OTHER}", {})
    pid = pid_of(first)
    await first._let_go()  # the hub ends, the proxy does not
    assert is_alive(pid)
    second = make()
    await second.start()
    assert pid_of(second) == pid
    assert list(await second.get_all_routes()) == ["/a/"]
    await second.stop()
    await wait_until(lambda: not is_alive(pid), "the proxy to end")
    assert not (tmp_path / "proxy.pid").exists()


@pytest.mark.parametrize("changed", [{"log_level": "warn"}, {"_auth_secret": b"other secret"}])
async def test_a_proxy_with_other_options_or_token_is_replaced(make: Any, changed: Any) -> None:
    first = make()
    await first.start()
    pid = pid_of(first)
    await first._let_go()
    second = make(**changed)
    await second.start()
    assert pid_of(second) != pid
    assert not is_alive(pid)
    assert await second.get_all_routes() == {}
    await second.stop()


async def test_a_killed_proxy_is_started_again_with_its_routes(make: Any) -> None:
    proxy = make(check_running_interval=1)
    restored = asyncio.Event()

    async def restore() -> None:
        await proxy.add_route("/again/", f"http://127.0.0.1:{OTHER}", {})
        restored.set()

    proxy._on_restart = restore
    await proxy.start()
    pid = pid_of(proxy)
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(15):
        await restored.wait()
    assert pid_of(proxy) != pid
    assert list(await proxy.get_all_routes()) == ["/again/"]
    await proxy.stop()


async def test_a_stranger_named_in_the_pid_file_is_left_alone(make: Any, tmp_path: Path) -> None:
    stranger = await asyncio.to_thread(subprocess.Popen, ["sleep", "60"])
    try:
        (tmp_path / "proxy.pid").write_text(str(stranger.pid))
        proxy = make()
        await proxy.start()
        assert stranger.poll() is None
        assert int((tmp_path / "proxy.pid").read_text().split()[0]) == pid_of(proxy)
        await proxy.stop()
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_missing_command_is_named_with_its_option(make: Any) -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such-proxy.*ConfigurableHTTPProxy\.command"):
        await make(command=["no-such-proxy"]).start()


async def test_a_taken_port_is_said_and_leaves_nothing_behind(make: Any, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", PUBLIC))
        holder.listen()
        with pytest.raises(RuntimeError, match=r"is .* taken"):
            await make().start()
    assert not (tmp_path / "proxy.pid").exists()


async def test_another_program_with_the_same_options_can_be_the_proxy(
    make: Any, tmp_path: Path
) -> None:
    script = tmp_path / "wrapped"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m perijove proxy "$@"\n')
    script.chmod(0o755)
    first = make(command=[str(script)])
    await first.start()
    pid = pid_of(first)
    await first._let_go()
    second = make(command=[str(script)])
    await second.start()
    assert pid_of(second) == pid
    await second.stop()


async def test_the_api_may_be_a_unix_socket(make: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock").replace("/", "%2F")
    proxy = make(api_url=f"http+unix://{path}")
    await proxy.start()
    await proxy.add_route("/a/", f"http://127.0.0.1:{OTHER}", {})
    assert list(await proxy.get_all_routes()) == ["/a/"]
    await proxy.stop()


async def test_a_refused_route_is_an_error_at_once(make: Any) -> None:
    proxy = make()
    await proxy.start()
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="400"):
        await proxy.add_route("/a/", "", {})
    assert time.monotonic() - began < 5
    await proxy.stop()
