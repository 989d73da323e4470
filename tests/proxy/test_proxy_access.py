"""The access log: a line for each answer, without secrets, in a file that may be moved away."""

import json
from pathlib import Path
from typing import Any

import pytest
from proxy_kit import ScriptedServer, get, post, running_proxy, until

from perijove.proxy.access import AccessLog, Entry

ENTRY = Entry(1.5, b"127.0.0.1", b"GET", b"x", b"/a", 200, 5, 0.0123, "/a")


def lines(path: Path) -> list[dict[str, Any]]:
    """The entries in a file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_each_answer_is_a_line(server: ScriptedServer, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with running_proxy(server, access_log=str(path)) as rig:
        client = await rig.connect()
        size = len((await client.ask(get(b"/t/echo?token=secret"))).body)
        await client.ask(post(b"/t/echo", b"abc"))
        await client.ask(get(b"/nowhere"))
        await client.ask(get(b"/t/echo", b"Host: twice\r\n"))
    found = lines(path)
    assert [(e["method"], e["path"], e["status"], e["route"]) for e in found] == [
        ("GET", "/t/echo", 200, "/t"),
        ("POST", "/t/echo", 200, "/t"),
        ("GET", "/nowhere", 404, None),
        ("", "/", 400, None),
    ]
    assert found[0]["bytes"] == size
    assert found[0]["client"] == "127.0.0.1"
    assert found[0]["host"] == "x.test"
    assert found[0]["ms"] >= 0
    assert found[0]["time"].endswith("Z")
    assert "secret" not in path.read_text()


async def test_a_moved_file_is_replaced(server: ScriptedServer, tmp_path: Path) -> None:
    path, old = tmp_path / "access.log", tmp_path / "old.log"
    async with running_proxy(server, access_log=str(path)) as rig:
        await rig.ask(get(b"/t/204"))
        await until(lambda: len(lines(path)) == 1, "the first line is written")
        path.rename(old)
        await until(path.exists, "the file is opened anew")
        await rig.ask(get(b"/t/500"))
        await until(lambda: len(lines(path)) == 1, "the next line is written")
    assert (lines(old)[0]["status"], lines(path)[0]["status"]) == (204, 500)


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        AccessLog(str(tmp_path / "missing" / "log"))


def test_more_lines_than_can_be_kept_are_dropped_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = AccessLog(str(tmp_path / "log"))
    for _ in range(10_003):
        log.add(ENTRY)
    log.close()
    assert len(lines(tmp_path / "log")) == 10_000
    assert "3 lines dropped" in caplog.text
