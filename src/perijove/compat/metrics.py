"""The metrics that plug-ins import as ``jupyterhub.metrics``, under the names they know."""

from enum import StrEnum

from perijove.telemetry.metrics import CHECK_ROUTES_DURATION as CHECK_ROUTES_DURATION_SECONDS
from perijove.telemetry.metrics import LOGIN_DURATION as LOGIN_DURATION_SECONDS
from perijove.telemetry.metrics import PROXY_ADD_DURATION as PROXY_ADD_DURATION_SECONDS
from perijove.telemetry.metrics import PROXY_DELETE_DURATION as PROXY_DELETE_DURATION_SECONDS
from perijove.telemetry.metrics import PROXY_POLL_DURATION as PROXY_POLL_DURATION_SECONDS
from perijove.telemetry.metrics import REQUEST_DURATION as REQUEST_DURATION_SECONDS
from perijove.telemetry.metrics import RUNNING_SERVERS, TOTAL_USERS
from perijove.telemetry.metrics import SERVER_POLL_DURATION as SERVER_POLL_DURATION_SECONDS
from perijove.telemetry.metrics import SERVER_SPAWN_DURATION as SERVER_SPAWN_DURATION_SECONDS
from perijove.telemetry.metrics import SERVER_STOP_DURATION as SERVER_STOP_DURATION_SECONDS


class ServerSpawnStatus(StrEnum):
    """Values of the label ``status`` of started servers."""

    success = "success"
    failure = "failure"
    error = "error"


class ServerSpawnFailureReason(StrEnum):
    """Values of the label ``reason`` of started servers."""

    already_pending = "already-pending"
    throttled = "throttled"
    too_many_users = "too-many-users"
    exited = "exited"
    error = "error"


class ProxyDeleteStatus(StrEnum):
    """Values of the label ``status`` of removed routes."""

    success = "success"
    failure = "failure"


class ProxyAddStatus(StrEnum):
    """Values of the label ``status`` of added routes."""

    success = "success"
    failure = "failure"


__all__ = [
    "CHECK_ROUTES_DURATION_SECONDS",
    "LOGIN_DURATION_SECONDS",
    "PROXY_ADD_DURATION_SECONDS",
    "PROXY_DELETE_DURATION_SECONDS",
    "PROXY_POLL_DURATION_SECONDS",
    "REQUEST_DURATION_SECONDS",
    "RUNNING_SERVERS",
    "SERVER_POLL_DURATION_SECONDS",
    "SERVER_SPAWN_DURATION_SECONDS",
    "SERVER_STOP_DURATION_SECONDS",
    "TOTAL_USERS",
    "ProxyAddStatus",
    "ProxyDeleteStatus",
    "ServerSpawnFailureReason",
    "ServerSpawnStatus",
]
