"""Metrics under the names, labels and buckets that dashboards know."""

import asyncio
import logging
import os
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from perijove.telemetry import metrics

NAMES = {
    "request_duration_seconds": "histogram",
    "server_spawn_duration_seconds": "histogram",
    "running_servers": "gauge",
    "total_users": "gauge",
    "active_users": "gauge",
    "check_routes_duration_seconds": "histogram",
    "hub_startup_duration_seconds": "histogram",
    "init_spawners_duration_seconds": "histogram",
    "proxy_poll_duration_seconds": "histogram",
    "login_duration_seconds": "histogram",
    "logout_duration_seconds": "histogram",
    "csp_reports": "counter",
    "proxy_add_duration_seconds": "histogram",
    "server_poll_duration_seconds": "histogram",
    "server_stop_seconds": "histogram",
    "proxy_delete_duration_seconds": "histogram",
    "event_loop_interval_seconds": "histogram",
}


def families(text: bytes) -> dict[str, str]:
    return {f.name: f.type for f in text_string_to_metric_families(text.decode())}


def value(name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            if sample.name == f"jupyterhub_{name}" and sample.labels == labels:
                return float(sample.value)
    return 0.0


def exposed_with(**environment: str) -> tuple[str, str]:
    """The metrics and the log of a fresh process with these variables."""
    code = (
        "import logging; logging.basicConfig()\n"
        "from perijove.telemetry import metrics\n"
        "print(metrics.exposition().decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


def test_every_known_metric_is_exposed_with_its_type() -> None:
    found = families(metrics.exposition())
    assert {name: found.get(f"jupyterhub_{name}") for name in NAMES} == NAMES
    assert "text/plain" in metrics.CONTENT_TYPE


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("proxy_add_duration_seconds_count", {"status": "success"}),
        ("proxy_delete_duration_seconds_count", {"status": "failure"}),
        ("server_stop_seconds_count", {"status": "failure"}),
        ("server_spawn_duration_seconds_count", {"status": "error", "reason": ""}),
        ("server_poll_duration_seconds_count", {"status": "ServerPollStatus.running"}),
        ("server_poll_duration_seconds_count", {"status": "ServerPollStatus.stopped"}),
    ],
)
def test_a_series_exists_before_anything_happened(name: str, labels: dict[str, str]) -> None:
    text = metrics.exposition().decode()
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"jupyterhub_{name}" and sample.labels == labels
    ]
    assert len(samples) == 1


def test_a_timed_block_counts_as_success_or_failure() -> None:
    name = "proxy_add_duration_seconds_count"
    good, bad = value(name, status="success"), value(name, status="failure")
    with metrics.timed(metrics.PROXY_ADD_DURATION):
        pass
    with pytest.raises(KeyError), metrics.timed(metrics.PROXY_ADD_DURATION):
        raise KeyError
    assert value(name, status="success") == good + 1
    assert value(name, status="failure") == bad + 1


def test_buckets_and_prefix_come_from_the_environment() -> None:
    text, _ = exposed_with(
        JUPYTERHUB_METRICS_PREFIX="ours",
        JUPYTERHUB_SERVER_SPAWN_DURATION_SECONDS_BUCKETS="1, 2.5,inf",
    )
    assert "ours_total_users" in text
    assert "jupyterhub_" not in text
    line = 'ours_server_spawn_duration_seconds_bucket{{le="{}",reason="",status="success"}}'
    for bound in ("1.0", "2.5", "+Inf"):
        assert line.format(bound) in text
    assert line.format("5.0") not in text


def test_buckets_that_are_no_numbers_are_named_and_not_used() -> None:
    text, logged = exposed_with(JUPYTERHUB_SERVER_STOP_DURATION_SECONDS_BUCKETS="a,b")
    assert "JUPYTERHUB_SERVER_STOP_DURATION_SECONDS_BUCKETS" in logged
    assert 'jupyterhub_server_stop_seconds_bucket{le="7.5",status="success"}' in text


async def test_a_blocked_event_loop_is_measured_and_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    name = "event_loop_interval_seconds_count"
    before = value(name)
    now = iter([0.0, 0.06, 5.06, 5.12])
    monkeypatch.setattr(metrics.time, "perf_counter", lambda: next(now))
    task = asyncio.create_task(metrics.watch_event_loop(0.001, 1.0))
    # The clock of this test ends after three rounds, and the task with it.
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    assert task.exception() is not None
    assert value(name) == before + 3
    (record,) = [r for r in caplog.records if r.name == "perijove.metrics"]
    assert "5.0 seconds" in record.getMessage()
