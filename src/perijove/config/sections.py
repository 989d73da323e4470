"""Sections of a configuration file besides ``JupyterHub`` and the plug-ins.

These classes only hold options, under the names that configuration files use;
the rooms that follow them receive frozen values.
"""

import logging
import os
from typing import Any

from traitlets import Bool, Dict, Float, Instance, Integer, List, default
from traitlets.config import Configurable


class CryptKeeper(Configurable):
    """Keys that encrypt what authenticators store about people."""

    keys: List[Any] = List(
        help="""Keys of 32 bytes each: as bytes, in hexadecimal, or in base64.

        By default from the environment variable `JUPYTERHUB_CRYPT_KEY`, several being
        divided by `;`. The first one encrypts, all decrypt, so that keys can be changed.
        """,
    ).tag(config=True)

    n_threads = Integer(
        help="""Accepted, and not used: encryption is too quick to need threads of its own.""",
    ).tag(config=True)

    @default("keys")
    def _keys_of_environment(self) -> list[str]:
        text = os.environ.get("JUPYTERHUB_CRYPT_KEY", "")
        return [key for key in text.split(";") if key.strip()]

    @default("n_threads")
    def _one_each(self) -> int:
        return os.cpu_count() or 1


class PeriodicMetricsCollector(Configurable):
    """Metrics that are measured at intervals."""

    active_users_enabled = Bool(
        True,
        help="""Publish how many users were active lately.""",
    ).tag(config=True)

    active_users_update_interval = Integer(
        3600,
        help="""Seconds between two counts of active users.""",
    ).tag(config=True)

    event_loop_interval_enabled = Bool(
        True,
        help="""Publish how long the event loop takes to come round.""",
    ).tag(config=True)

    event_loop_interval_resolution = Float(
        0.05,
        help="""Seconds between two measurements of the event loop.""",
    ).tag(config=True)

    event_loop_interval_log_threshold = Float(
        1,
        help="""Warn in the log when the event loop was blocked for so many seconds.""",
    ).tag(config=True)


class JupyterHubHTTPClient(Configurable):
    """The client with which the hub asks proxy, servers and services (aiohttp)."""

    connector_options = Dict(
        help="""Keyword arguments for `aiohttp.TCPConnector`, such as `limit`.""",
    ).tag(config=True)

    session_options = Dict(
        help="""Keyword arguments for `aiohttp.ClientSession`, such as `timeout`.""",
    ).tag(config=True)


class EventLogger(Configurable):
    """Records of what happened, for other programs to read."""

    handlers = List(
        Instance(logging.Handler),
        default_value=None,
        allow_none=True,
        help="""`logging.Handler` objects that get a JSON object for each start and stop of a
        server. None: no records are written.
        """,
    ).tag(config=True)


SECTIONS: tuple[type[Configurable], ...] = (
    CryptKeeper,
    PeriodicMetricsCollector,
    JupyterHubHTTPClient,
    EventLogger,
)
