"""JSON for values that other people's code made.

Plug-ins put into options and state what they like. Bytes (an uploaded file) are
kept as an object with a mark, the one that databases of other hubs hold, too; what
JSON cannot hold becomes null, with a warning, since a start must not fail for it.
"""

import json
import logging
from base64 import decodebytes, encodebytes
from typing import Any

import orjson

log = logging.getLogger("perijove.json")

BYTES_KEY = "__jupyterhub_bytes__"
"""Marks an object that stands for bytes."""


def pack(value: Any) -> Any:
    """What stands for a value that JSON lacks; for the ``default`` of ``json.dumps``."""
    if isinstance(value, bytes):
        return {BYTES_KEY: True, "data": encodebytes(value).decode("ascii")}
    log.warning("A %s cannot be stored as JSON; null is stored", type(value).__name__)
    return None


def unpack(value: dict[str, Any]) -> Any:
    """The bytes that an object stands for, or the object; for ``object_hook``."""
    if not value.get(BYTES_KEY):
        return value
    try:
        return decodebytes(value["data"].encode("ascii"))
    except (KeyError, AttributeError, ValueError):
        log.warning("Stored bytes cannot be read; None is given")
        return None


def packed(value: Any) -> Any:
    """The value as JSON has it: lists for tuples, texts for keys, ``pack`` for the rest.

    Raises ValueError when it holds itself.
    """
    return json.loads(json.dumps(value, default=pack, skipkeys=True))


def unpacked(value: Any) -> Any:
    """A copy of a packed value with its bytes as bytes."""
    return json.loads(json.dumps(value), object_hook=unpack)


def encoded(value: Any) -> bytes:
    """The value as JSON text.

    Numbers beyond 64 bits and texts that UTF-8 cannot hold are rare, and must not
    keep anybody from a list that they are in: the slower encoder takes them.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()
