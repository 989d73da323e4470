"""Every Prometheus metric of the hub, under the names that dashboards know.

Names, labels and buckets match JupyterHub's; the odd label texts
``LoginStatus.success`` and ``ServerPollStatus.running`` included, since queries
rely on them.
"""

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

log = logging.getLogger("perijove.metrics")

PREFIX = os.environ.get("JUPYTERHUB_METRICS_PREFIX", "jupyterhub")
CONTENT_TYPE = CONTENT_TYPE_LATEST

SUCCESS = "success"
FAILURE = "failure"
ERROR = "error"


def _buckets(variable: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """Histogram buckets (seconds) from the environment, comma-separated."""
    text = os.environ.get(variable, "")
    try:
        return tuple(float(part) for part in text.split(",")) if text.strip() else default
    except ValueError:
        log.warning("%s is not a list of numbers: %r; using the default", variable, text)
        return default


_INF = float("inf")
_STOP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, _INF)
_SPAWN_BUCKETS = (0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 180, 300, 600, _INF)
_LOOP_BUCKETS = (
    *(0.05, 0.055, 0.06, 0.065, 0.07, 0.075),
    *(0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, _INF),
)

REQUEST_DURATION = Histogram(
    "request_duration_seconds",
    "Request duration for all HTTP requests",
    ["method", "handler", "code"],
    namespace=PREFIX,
)
SERVER_SPAWN_DURATION = Histogram(
    "server_spawn_duration_seconds",
    "Time taken for a server to start",
    ["status", "reason"],
    namespace=PREFIX,
    buckets=_buckets("JUPYTERHUB_SERVER_SPAWN_DURATION_SECONDS_BUCKETS", _SPAWN_BUCKETS),
)
RUNNING_SERVERS = Gauge("running_servers", "User servers that run now", namespace=PREFIX)
TOTAL_USERS = Gauge("total_users", "Users known to the hub", namespace=PREFIX)
ACTIVE_USERS = Gauge(
    "active_users", "Users active in a period of time", ["period"], namespace=PREFIX
)
CHECK_ROUTES_DURATION = Histogram(
    "check_routes_duration_seconds", "Time taken to compare all routes", namespace=PREFIX
)
HUB_STARTUP_DURATION = Histogram(
    "hub_startup_duration_seconds", "Time taken for the hub to start", namespace=PREFIX
)
INIT_SPAWNERS_DURATION = Histogram(
    "init_spawners_duration_seconds", "Time taken to find running servers again", namespace=PREFIX
)
PROXY_POLL_DURATION = Histogram(
    "proxy_poll_duration_seconds", "Time taken to list the proxy's routes", namespace=PREFIX
)
LOGIN_DURATION = Histogram(
    "login_duration_seconds", "Time taken to sign in", ["status"], namespace=PREFIX
)
LOGOUT_DURATION = Histogram("logout_duration_seconds", "Time taken to sign out", namespace=PREFIX)
CSP_REPORTS = Counter("csp_reports_total", "Content security policy reports", namespace=PREFIX)
PROXY_ADD_DURATION = Histogram(
    "proxy_add_duration_seconds", "Time taken to add a route", ["status"], namespace=PREFIX
)
SERVER_POLL_DURATION = Histogram(
    "server_poll_duration_seconds", "Time taken to poll a server", ["status"], namespace=PREFIX
)
SERVER_STOP_DURATION = Histogram(
    "server_stop_seconds",
    "Time taken for a server to stop",
    ["status"],
    namespace=PREFIX,
    buckets=_buckets("JUPYTERHUB_SERVER_STOP_DURATION_SECONDS_BUCKETS", _STOP_BUCKETS),
)
PROXY_DELETE_DURATION = Histogram(
    "proxy_delete_duration_seconds", "Time taken to delete a route", ["status"], namespace=PREFIX
)
EVENT_LOOP_INTERVAL = Histogram(
    "event_loop_interval_seconds",
    "Distribution of measured event loop intervals",
    namespace=PREFIX,
    buckets=_LOOP_BUCKETS,
)

for _status in (SUCCESS, FAILURE):
    PROXY_ADD_DURATION.labels(_status)
    PROXY_DELETE_DURATION.labels(_status)
    SERVER_STOP_DURATION.labels(_status)
for _status in (SUCCESS, FAILURE, ERROR):
    SERVER_SPAWN_DURATION.labels(_status, "")
POLL_RUNNING = SERVER_POLL_DURATION.labels("ServerPollStatus.running")
POLL_STOPPED = SERVER_POLL_DURATION.labels("ServerPollStatus.stopped")
LOGIN_SUCCESS = "LoginStatus.success"
LOGIN_FAILURE = "LoginStatus.failure"


@lru_cache(maxsize=4096)
def request_duration(method: str, handler: str, status: int) -> Histogram:
    """Where the duration of requests with this outcome is observed (looking it up is slow)."""
    return REQUEST_DURATION.labels(method, handler, str(status))


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Observe how long the block takes, with ``success`` or ``failure``."""
    began = time.perf_counter()
    try:
        yield
    except BaseException:
        histogram.labels(FAILURE).observe(time.perf_counter() - began)
        raise
    histogram.labels(SUCCESS).observe(time.perf_counter() - began)


def exposition() -> bytes:
    """All metrics in the text format."""
    return generate_latest(REGISTRY)


async def watch_event_loop(resolution_s: float, log_threshold_s: float) -> None:
    """Observe how long the event loop takes to come round, for ever."""
    before = time.perf_counter()
    while True:
        await asyncio.sleep(resolution_s)
        now = time.perf_counter()
        interval, before = now - before, now
        EVENT_LOOP_INTERVAL.observe(interval)
        if interval > log_threshold_s:
            log.warning("The event loop was blocked for %.1f seconds", interval)
