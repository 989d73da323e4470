"""Structured records of starts and stops, through jupyter_events.

The library costs most of a hub's import time, so it is loaded only when an
operator has configured handlers for its events.
"""

import logging
from typing import Any

log = logging.getLogger("perijove.audit")

SCHEMA_ID = "https://schema.jupyter.org/jupyterhub/events/server-action"

_SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Server action",
    "description": "A user's server was started or stopped on request.",
    "type": "object",
    "required": ["action", "username", "servername"],
    "properties": {
        "action": {"enum": ["start", "stop"]},
        "username": {"type": "string"},
        "servername": {"type": "string"},
    },
}


class Audit:
    """Emits records to the operator's handlers; silent when there are none."""

    def __init__(self, config: Any = None) -> None:
        """``config``: a traitlets configuration with ``EventLogger`` or, of old, ``EventLog``."""
        self._logger: Any = None
        section = _section(config)
        if section:
            from jupyter_events import EventLogger  # slow to import: see the module's docstring

            self._logger = EventLogger(**section)
            self._logger.register_event_schema(_SCHEMA)

    def server_action(self, action: str, user: str, server: str) -> None:
        """Record that a server was started or stopped; never raises."""
        try:
            self.emit(
                schema_id=SCHEMA_ID,
                data={"action": action, "username": user, "servername": server},
            )
        except Exception:
            log.exception("Could not emit an event")

    def register_event_schema(self, schema: Any) -> None:
        """Another kind of record, of a plug-in."""
        if self._logger is not None:
            self._logger.register_event_schema(schema)

    def emit(self, *, schema_id: str, data: dict[str, Any]) -> None:
        """Record what a plug-in did. Raises what jupyter_events raises for a wrong record."""
        if self._logger is not None:
            self._logger.emit(schema_id=schema_id, data=data)


def _section(config: Any) -> dict[str, Any]:
    if not config:
        return {}
    merged = {**config.get("EventLog", {}), **config.get("EventLogger", {})}
    merged.pop("allowed_schemas", None)
    return merged if merged.get("handlers") else {}
