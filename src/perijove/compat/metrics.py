"""The metrics that plug-ins import as ``jupyterhub.metrics``, under the names they know."""

from enum import Enum, StrEnum

from perijove.telemetry.metrics import ACTIVE_USERS, RUNNING_SERVERS, TOTAL_USERS
from perijove.telemetry.metrics import CHECK_ROUTES_DURATION as CHECK_ROUTES_DURATION_SECONDS
from perijove.telemetry.metrics import HUB_STARTUP_DURATION as HUB_STARTUP_DURATION_SECONDS
from perijove.telemetry.metrics import INIT_SPAWNERS_DURATION as INIT_SPAWNERS_DURATION_SECONDS
from perijove.telemetry.metrics import LOGIN_DURATION as LOGIN_DURATION_SECONDS
from perijove.telemetry.metrics import LOGOUT_DURATION as LOGOUT_DURATION_SECONDS
from perijove.telemetry.metrics import PROXY_ADD_DURATION as PROXY_ADD_DURATION_SECONDS
from perijove.telemetry.metrics import PROXY_DELETE_DURATION as PROXY_DELETE_DURATION_SECONDS
from perijove.telemetry.metrics import PROXY_POLL_DURATION as PROXY_POLL_DURATION_SECONDS
from perijove.telemetry.metrics import REQUEST_DURATION as REQUEST_DURATION_SECONDS
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


class ServerStopStatus(StrEnum):
    """Values of the label ``status`` of stopped servers."""

    success = "success"
    failure = "failure"


class ServerPollStatus(Enum):
    """Values of the label ``status`` of polled servers, written with the name of the class."""

    running = "running"
    stopped = "stopped"

    @classmethod
    def from_status(cls, status: int | None) -> "ServerPollStatus":
        """What an answer of ``poll`` means."""
        return cls.running if status is None else cls.stopped


class LoginStatus(Enum):
    """Values of the label ``status`` of sign-ins, written with the name of the class."""

    success = "success"
    failure = "failure"


class ProxyDeleteStatus(StrEnum):
    """Values of the label ``status`` of removed routes."""

    success = "success"
    failure = "failure"


class ProxyAddStatus(StrEnum):
    """Values of the label ``status`` of added routes."""

    success = "success"
    failure = "failure"


__all__ = [
    "ACTIVE_USERS",
    "CHECK_ROUTES_DURATION_SECONDS",
    "HUB_STARTUP_DURATION_SECONDS",
    "INIT_SPAWNERS_DURATION_SECONDS",
    "LOGIN_DURATION_SECONDS",
    "LOGOUT_DURATION_SECONDS",
    "PROXY_ADD_DURATION_SECONDS",
    "PROXY_DELETE_DURATION_SECONDS",
    "PROXY_POLL_DURATION_SECONDS",
    "REQUEST_DURATION_SECONDS",
    "RUNNING_SERVERS",
    "SERVER_POLL_DURATION_SECONDS",
    "SERVER_SPAWN_DURATION_SECONDS",
    "SERVER_STOP_DURATION_SECONDS",
    "TOTAL_USERS",
    "LoginStatus",
    "ProxyAddStatus",
    "ProxyDeleteStatus",
    "ServerPollStatus",
    "ServerSpawnFailureReason",
    "ServerSpawnStatus",
    "ServerStopStatus",
]
