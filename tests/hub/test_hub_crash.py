"""After SIGKILL to the hub every server is accounted for, and nothing runs unowned.

A start has places where a crash hurts differently: before the server's process
exists, while it exists but the spawner has not told its address yet, and while
the hub waits for it to listen. Gated servers stay at the chosen place until the
test opens the gate, so the moment of the crash is exact, not timed.
"""

from pathlib import Path

import httpx
import pytest
from harness import HubProcess, MakeHub, wait_for

READY = [f"ready{n:02}" for n in range(50)]
HELD = {
    "before-process": [f"early{n:02}" for n in range(17)],
    "after-process": [f"amid{n:02}" for n in range(17)],
    "before-listening": [f"late{n:02}" for n in range(16)],
}
ALL = [*READY, *(user for users in HELD.values() for user in users)]

pytestmark = pytest.mark.slow


def start_fifty_and_hold_fifty(hub: HubProcess) -> None:
    """Fifty servers ready, fifty held at the three places of a start."""
    hub.add_users(ALL)
    for user in READY:
        hub.request_server(user)
    wait_for("fifty ready servers", lambda: len(ready_users(hub)) == len(READY), 120)
    for place, users in HELD.items():
        for user in users:
            hub.request_server(user, {"hold": place})
    with_process = {*READY, *HELD["after-process"], *HELD["before-listening"]}
    wait_for(
        "the processes of the held starts",
        lambda: set(hub.server_processes()) == with_process,
        60,
    )
    pending = {user for user, model in hub.servers().items() if model["pending"] == "spawn"}
    assert pending == set(ALL) - set(READY)


def ready_users(hub: HubProcess) -> set[str]:
    return {user for user, model in hub.servers().items() if model["ready"]}


def settled(hub: HubProcess) -> bool:
    """Whether no server is on its way anywhere."""
    return all(model["ready"] and not model["pending"] for model in hub.servers().values())


def answering_process(hub: HubProcess, user: str) -> int:
    """Process id of the server that answers behind the proxy."""
    token = hub.new_token(user)
    head = {"Authorization": f"token {token}"}
    reply = httpx.get(f"{hub.origin}/user/{user}/", headers=head, timeout=20, trust_env=False)
    assert reply.status_code == 200, (user, reply.status_code, reply.text[:300])
    pid: int = reply.json()["pid"]
    return pid


def assert_every_process_is_owned(hub: HubProcess) -> None:
    """One process for each ready server, none for any other."""
    wait_for(
        "an end of the processes that nobody owns",
        lambda: set(hub.server_processes()) <= ready_users(hub),
        30,
    )
    processes = hub.server_processes()
    ready = ready_users(hub)
    assert set(processes) == ready
    assert {user: len(pids) for user, pids in processes.items()} == dict.fromkeys(ready, 1)


def assert_stopped_ones_have_a_reason(hub: HubProcess, users: list[str]) -> None:
    running = set(hub.servers())
    for user in users:
        if user not in running:
            event = hub.last_event(user)
            assert event.get("failed") is True, (user, event)
            assert event.get("message", "").strip(), (user, event)


def test_hundred_servers_are_accounted_for_after_the_hub_is_killed(
    make_hub: MakeHub, gated_settings: str, gate: Path, database_url: str
) -> None:
    hub = make_hub(gated_settings, db_url=database_url)
    start_fifty_and_hold_fifty(hub)
    before = hub.server_processes()

    hub.kill()
    hub.start()
    gate.touch()

    wait_for("all servers to settle", lambda: settled(hub), 120)
    assert set(READY) <= ready_users(hub), "a running server was lost"
    assert set(HELD["before-listening"]) <= ready_users(hub), "a living start was given up"
    assert_stopped_ones_have_a_reason(hub, ALL)
    assert_every_process_is_owned(hub)
    for user in [*READY[:5], *HELD["before-listening"][:5]]:
        assert [answering_process(hub, user)] == before[user], "a server was started anew"


def test_a_server_that_died_with_the_hub_is_stopped_and_can_be_started_again(
    make_hub: MakeHub, gated_settings: str, database_url: str
) -> None:
    hub = make_hub(gated_settings, db_url=database_url)
    hub.add_users(["ada", "ben"])
    for user in ("ada", "ben"):
        hub.request_server(user)
    wait_for("two ready servers", lambda: ready_users(hub) == {"ada", "ben"})
    ((ada_pid,), (ben_pid,)) = (hub.server_processes()[user] for user in ("ada", "ben"))

    hub.kill()
    for process in hub.processes():
        if process.pid == ada_pid:
            process.kill()
    hub.start()

    wait_for("ben alone to be ready", lambda: ready_users(hub) == {"ben"})
    assert_every_process_is_owned(hub)
    hub.request_server("ada")
    wait_for("ada's new server", lambda: ready_users(hub) == {"ada", "ben"})
    assert answering_process(hub, "ada") != ada_pid
    assert answering_process(hub, "ben") == ben_pid


def test_the_hub_may_be_killed_at_any_moment_of_a_rush(
    make_hub: MakeHub, gated_settings: str, database_url: str
) -> None:
    hub = make_hub(gated_settings, db_url=database_url)
    users = [f"rush{n:02}" for n in range(24)]
    hub.add_users(users)
    for ready_before_the_kill in (0, 4, 11):
        for user in users:
            if user not in hub.servers():
                hub.request_server(user)
        wait_for(
            f"{ready_before_the_kill} ready servers",
            lambda limit=ready_before_the_kill: len(ready_users(hub)) >= limit,  # type: ignore[misc]
            60,
        )
        hub.kill()
        hub.start()
    wait_for("all servers to settle", lambda: settled(hub), 60)
    assert_stopped_ones_have_a_reason(hub, users)
    assert_every_process_is_owned(hub)
