"""The stream of all servers on real hubs: across replicas, behind the last event, by scope."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from harness import HubProcess, MakeHub, wait_for

from perijove.wire.requests import TokenRequest

pytestmark = pytest.mark.slow

Event = tuple[str, str, dict[str, Any]]


@pytest.fixture
def hubs(
    make_hub: MakeHub, gated_settings: str, database_url: str
) -> tuple[HubProcess, HubProcess]:
    """Where one listens, and where things happen: two replicas where the database allows it."""
    here = make_hub(gated_settings, db_url=database_url)
    if database_url.startswith("sqlite"):
        return here, here
    return here, make_hub(gated_settings, db_url=database_url)


@contextmanager
def listening(api: httpx.Client, after: str = "") -> Iterator[Iterator[Event]]:
    """The events of a stream: id, kind, data."""
    headers = {"Last-Event-ID": after} if after else {}
    with api.stream("GET", "/events", headers=headers) as reply:
        assert reply.status_code == 200
        yield events_of(reply.iter_lines())


def events_of(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}
        elif "id" in fields:
            fields = {}


def until_ready(events: Iterator[Event], user: str) -> tuple[str, set[str]]:
    """The id of the event that tells of a ready server, and whom events told of till then."""
    told = set()
    for position, kind, data in events:
        assert kind == "server", (kind, data)
        told.add(data["user"])
        if data["user"] == user and data["server"]["ready"]:
            return position, told
    raise AssertionError("the stream ended")


def test_whoever_listens_at_one_hub_hears_of_all_and_can_go_on_where_they_were(
    hubs: tuple[HubProcess, HubProcess],
) -> None:
    here, there = hubs
    there.add_users(["ada", "ben", "eve"])
    with listening(here.api) as events:
        position, kind, data = next(events)
        assert (kind, data) == ("snapshot", {"servers": []})
        assert there.client.start_server("ada", wait_s=30)
        position, _ = until_ready(events, "ada")

    assert there.client.start_server("ben", wait_s=30)
    with listening(here.api, position) as events:
        position, told = until_ready(events, "ben")
        assert told == {"ben"}, "what was told before is told again"
        assert there.client.delete_user("ada", wait_s=30)
        assert any(kind == "removed" and data["user"] == "ada" for _, kind, data in events)

    wish = TokenRequest(scopes=["read:servers!user=eve"])
    secret = there.client.create_token("eve", wish).token
    with listening(here.api_of(secret or "")) as events:
        assert next(events)[2] == {"servers": []}
        assert there.client.stop_server("ben", wait_s=30)
        assert there.client.start_server("eve", wait_s=30)
        _, told = until_ready(events, "eve")
        assert told == {"eve"}, "the token may see eve's servers alone"


def test_after_a_restart_of_the_hub_an_old_id_begins_with_a_snapshot(
    make_hub: MakeHub, gated_settings: str
) -> None:
    hub = make_hub(gated_settings)
    hub.add_users(["ada"])
    with listening(hub.api) as events:
        next(events)
        assert hub.client.start_server("ada", wait_s=30)
        position, _ = until_ready(events, "ada")
    hub.kill()
    hub.start()
    wait_for("ada's server", lambda: hub.servers().get("ada", {}).get("ready"))
    with listening(hub.api, position) as events:
        _, kind, data = next(events)
    assert kind == "snapshot"
    assert [server["user"] for server in data["servers"]] == ["ada"]
