"""The hub's log."""

import logging
from typing import Any

from traitlets import HasTraits, Instance, List, Unicode, default

from perijove.telemetry.log import DATE_FORMAT, LOG_FORMAT


class LogOptions(HasTraits):
    """Where the log goes. Level, format and times are options of every application."""

    extra_log_file = Unicode(
        "",
        help="""Deprecated: send the output of the process to a file instead.

        A file that gets the hub's log as well.
        """,
    ).tag(config=True, deprecated=True)

    extra_log_handlers = List(
        Instance(logging.Handler),
        help="""Further `logging.Handler` objects for the hub's log.

        They get the hub's format unless they have one of their own.
        """,
    ).tag(config=True)

    @default("log_level")
    def _default_level(self) -> int:
        return logging.INFO

    @default("log_format")
    def _default_format(self) -> str:
        return LOG_FORMAT

    @default("log_datefmt")
    def _default_date_format(self) -> str:
        return DATE_FORMAT

    @default("log")
    def _default_log(self) -> Any:
        return logging.getLogger("JupyterHub")
