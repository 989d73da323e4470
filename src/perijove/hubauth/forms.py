"""Finds the ``_xsrf`` field of a form in the first part of a request's body.

A page that posts a plain HTML form has no other place for its proof: scripts
use a header, and a token in the address would be logged.
"""

from collections.abc import Callable
from urllib.parse import parse_qs

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from perijove.hubauth import xsrf

MAX_LOOK_BYTES = 1024 * 1024
"""The field has to come within so many bytes: first in forms that send files."""
MAX_PROOF_BYTES = 1024


def is_form(content_type: str) -> bool:
    """Whether a body can hold the field."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in {"application/x-www-form-urlencoded", "multipart/form-data"}


def find_proof(content_type: str, body: bytes) -> str:
    """The field's value in a body, or in its beginning; empty without one."""
    kind, options = parse_options_header(content_type)
    if kind.lower() == b"multipart/form-data":
        return _in_multipart(options.get(b"boundary", b""), body)
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    except ValueError:
        return ""
    return fields.get(xsrf.COOKIE, [""])[0]


class _Collector:
    """Callbacks of the parser: keeps the one field's data."""

    def __init__(self) -> None:
        self.value = b""
        self.found = False
        self._header = b""
        self._inside = False
        self._disposition = b""

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self.on_part_begin,
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_headers_finished": self.on_headers_finished,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
        }

    def on_part_begin(self) -> None:
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition += data[start:end]

    def on_header_end(self) -> None:
        self._header = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        ours = options.get(b"name") == xsrf.COOKIE.encode() and b"filename" not in options
        self._inside = ours and not self.found

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside and len(self.value) <= MAX_PROOF_BYTES:
            self.value += data[start:end]

    def on_part_end(self) -> None:
        self.found = self.found or self._inside
        self._inside = False


def _in_multipart(boundary: bytes, body: bytes) -> str:
    if not boundary:
        return ""
    collector = _Collector()
    try:
        MultipartParser(boundary, collector.callbacks()).write(body)  # type: ignore[arg-type]
    except (FormParserError, ValueError):
        return ""
    return collector.value.decode("utf-8", "replace") if collector.found else ""
