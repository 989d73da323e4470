"""A start that fails half-way leaves nothing behind that it began."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from perijove import app
from perijove.app import HubProcess
from perijove.domain.errors import ConfigError


class Journal:
    """Stands for the rooms and the listener; notes what is asked of them, and fails as told."""

    def __init__(self, failing: str) -> None:
        self.failing = failing
        self.calls: list[str] = []

    async def do(self, what: str) -> None:
        await asyncio.sleep(0)
        self.calls.append(what)
        if what == self.failing:
            raise ConfigError(what)

    def listener(self, *_: object) -> Any:
        return SimpleNamespace(
            start=lambda: self.do("start listener"), close=lambda: self.do("close listener")
        )

    def built(self) -> Any:
        proxy = SimpleNamespace(
            should_start=True,
            start=lambda: self.do("start proxy"),
            stop=lambda: self.do("stop proxy"),
        )
        return SimpleNamespace(
            application=None,
            ground=SimpleNamespace(certificates=None),
            rooms=SimpleNamespace(proxy=proxy),
            prepare=lambda: self.do("prepare"),
            close_clients=lambda: self.do("close clients"),
        )


@pytest.mark.parametrize("failing", ["prepare", "start listener", "start proxy"])
async def test_what_was_begun_ends_when_something_fails(
    monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    journal = Journal(failing)
    monkeypatch.setattr(app, "Listener", journal.listener)
    settings = SimpleNamespace(
        network=None,
        processes=SimpleNamespace(cleanup_proxy=True, pid_file=""),
        servers=SimpleNamespace(cleanup_servers=True),
    )
    hub = HubProcess(cast("Any", None), cast("Any", settings))
    hub.built = journal.built()
    with pytest.raises(ConfigError, match=failing):
        await hub._begin_serving(hub.built)
    await hub.stop()
    assert "close listener" in journal.calls
    assert "close clients" in journal.calls
    assert ("stop proxy" in journal.calls) is (failing != "start proxy")
