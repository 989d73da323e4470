"""The log: upstream's format, without secrets, without forged or endless lines."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perijove.domain.settings import LogSettings
from perijove.telemetry.log import (
    MAX_MESSAGE,
    MAX_TRACEBACK,
    LogFormatter,
    RequestLine,
    log_request,
    scrub_headers,
    scrub_text,
    scrub_url,
    set_up_logging,
    shown_name,
)

log = logging.getLogger("JupyterHub")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; logging is left as it was."""
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("JupyterHub", "perijove")}
    handlers = root.handlers[:]
    out = io.StringIO()
    set_up_logging(LogSettings(level=logging.DEBUG), out)
    yield out
    set_up_logging(LogSettings(), io.StringIO())
    for handler in [h for h in root.handlers if h not in handlers]:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


LINE = re.compile(
    r"\[I \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} JupyterHub test_telemetry_log:\d+\] hello ada\n"
)


def test_a_line_has_the_format_that_operators_know(stream: io.StringIO) -> None:
    log.info("hello %s", "ada")
    assert LINE.fullmatch(stream.getvalue())


def test_rooms_and_plugins_log_and_others_only_warn(stream: io.StringIO) -> None:
    logging.getLogger("perijove.servers").debug("room")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble")
    assert "room" in stream.getvalue()
    assert "chatter" not in stream.getvalue()
    assert "trouble" in stream.getvalue()


def test_setting_up_twice_does_not_log_twice(stream: io.StringIO) -> None:
    set_up_logging(LogSettings(), stream)
    log.info("once")
    assert stream.getvalue().count("once") == 1


def test_colour_only_where_people_look(stream: io.StringIO) -> None:
    log.error("x")
    assert "\x1b" not in stream.getvalue()
    record = logging.LogRecord("JupyterHub", logging.ERROR, "f.py", 1, "boom", None, None)
    assert LogFormatter(colour=True).format(record).startswith("\x1b[31m[E ")
    assert LogFormatter().format(record).startswith("[E ")


def test_own_formats_are_used() -> None:
    record = logging.LogRecord("JupyterHub", logging.INFO, "f.py", 1, "m", None, None)
    assert LogFormatter("%(levelname)s|%(message)s").format(record) == "INFO|m"


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "a\x1b[31mb", "a\x00b", "a\u2028b", "a\u202eb"])
def test_a_name_cannot_forge_a_line(stream: io.StringIO, name: str) -> None:
    log.warning("Failed login for %r, %s", name, name)
    log.warning(f"Failed login for {name}")
    assert len(stream.getvalue().splitlines()) == 2
    assert all(char.isprintable() for char in stream.getvalue().replace("\n", ""))


def test_a_template_of_several_lines_keeps_them_and_indents(stream: io.StringIO) -> None:
    log.warning("first\nsecond %s", "a\nb")
    assert stream.getvalue().endswith("first\n    second a\\nb\n")


def test_half_a_character_does_not_stop_the_log(stream: io.StringIO) -> None:
    # Straight to the formatter: pytest's own report of such a record cannot be sent by xdist.
    record = logging.LogRecord("perijove", logging.WARNING, "x.py", 1, "half %s", ("\ud800",), None)
    for handler in logging.getLogger("perijove").handlers or logging.getLogger().handlers:
        handler.handle(record)
    assert "half \\ud800" in stream.getvalue()


def test_a_message_has_an_end(stream: io.StringIO) -> None:
    log.info("%s", "x" * (MAX_MESSAGE + 50))
    assert len(stream.getvalue()) < MAX_MESSAGE + 200
    assert "(50 more characters)" in stream.getvalue()


def test_a_traceback_is_indented_bounded_and_scrubbed(stream: io.StringIO) -> None:
    try:
        raise ValueError("?token=s3cret\nforged " + "y" * (2 * MAX_TRACEBACK))
    except ValueError:
        log.exception("failed")
    lines = stream.getvalue().splitlines()
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[1] == "    Traceback (most recent call last):"
    assert "characters left out" in stream.getvalue()
    assert "s3cret" not in stream.getvalue()
    assert len(stream.getvalue()) < MAX_TRACEBACK + 2000


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/hub/api/users?limit=5&offset=1", "/hub/api/users?limit=5&offset=1"),
        ("/x?token=abc", "/x?token=[secret]"),
        ("/x?a=1&code=abc&b=2", "/x?a=1&code=[secret]&b=2"),
        ("/x?state=abc#access_token=def", "/x?state=[secret]#access_token=[secret]"),
        ("/x?_xsrf=2%7C1", "/x?_xsrf=[secret]"),
        ("/x?API_KEY=abc&Password=d", "/x?API_KEY=[secret]&Password=[secret]"),
        (
            "/hub/login?next=%2Fhub%2Fapi%2Foauth2%2Fauthorize%3Fclient_id%3Da%26state%3Dzzz%26b%3Dc",
            "/hub/login?next=%2Fhub%2Fapi%2Foauth2%2Fauthorize%3Fclient_id%3Da%26state%3D[secret]",
        ),
        ("/x?next=%252Fy%253Fcode%253Dzzz", "/x?next=%252Fy%253Fcode%253D[secret]"),
        ("/hub/api/authorizations/token/abc", "/hub/api/authorizations/token/[secret]"),
        ("/hub/api/authorizations/cookie/n/abc?x", "/hub/api/authorizations/cookie/n/[secret]?x"),
        ("postgresql://u:p@h/d", "postgresql://u:[secret]@h/d"),
        ("http://h:8000/x@y", "http://h:8000/x@y"),
        ("/a\nb", "/a\\nb"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert scrub_url(url) == shown


def test_an_endless_url_is_cut() -> None:
    assert len(scrub_url("/" + "a" * 100_000)) < 2_100


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: token s3cret0123456789abcdef",
        "Starting ada: jupyter lab --ServerApp.token=s3cret --NotebookApp.base_url=/user/ada/",
        "Starting ada: jupyter lab '--IdentityProvider.token=s3cret' --Tool.Password_hash=s3cret",
        "got Bearer s3cret0123456789abcdef back",
        "cookie 2|1:0|10:1795572609|20:jupyterhub-hub-login|s3cret",
        "GET http://u:s3cret@host/",
    ],
)
def test_secrets_in_a_message_are_told_by_their_form(text: str) -> None:
    assert "s3cret" not in scrub_text(text)
    assert "[secret]" in scrub_text(text)


def test_headers_are_shown_without_their_secrets() -> None:
    assert scrub_headers(
        {
            "Authorization": "token abc",
            "Proxy-Authorization": "abc",
            "Cookie": "a=1; b=2",
            "X-XSRFToken": "abc",
            "Referer": "http://h/?token=abc",
            "Accept": "*/*",
        }
    ) == {
        "Authorization": "token [secret]",
        "Proxy-Authorization": "[secret]",
        "Cookie": "a=[secret]; b=[secret]",
        "X-XSRFToken": "[secret]",
        "Referer": "http://h/?token=[secret]",
        "Accept": "*/*",
    }


def request(status: int, *, duration_s: float = 0.01234, quiet: bool = False) -> RequestLine:
    return RequestLine(
        "GET", "/hub/x?token=t", status, duration_s, "ada", "1.2.3.4", quiet=quiet,
        headers={"Cookie": "a=b"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "letter"),
    [
        (request(200), "I"),
        (request(302), "I"),
        (request(304), "D"),
        (request(200, quiet=True), "D"),
        (request(200, quiet=True, duration_s=1.5), "I"),
        (request(404, quiet=True), "W"),
        (request(403), "W"),
        (request(500), "E"),
        (request(503), "E"),
    ],
)
def test_a_requests_level_follows_its_answer(
    stream: io.StringIO, line: RequestLine, letter: str
) -> None:
    log_request(log, line)
    assert stream.getvalue().startswith(f"[{letter} ")
    text = f"{line.status} GET /hub/x?token=[secret] (ada@1.2.3.4) {line.duration_s * 1000:.2f}ms"
    assert text in stream.getvalue()


def test_a_redirect_shows_where_it_leads(stream: io.StringIO) -> None:
    log_request(log, RequestLine("GET", "/a", 302, 0.001, location="/b?code=c"))
    assert "302 GET /a -> /b?code=[secret] (@) 1.00ms" in stream.getvalue()


@pytest.mark.parametrize(
    ("status", "shown"), [(500, True), (502, False), (503, False), (400, False)]
)
def test_headers_are_logged_for_errors_of_ours_only(
    stream: io.StringIO, status: int, shown: bool
) -> None:
    log_request(log, request(status))
    lines = stream.getvalue().splitlines()
    assert len(lines) == (2 if shown else 1)
    if shown:
        assert json.loads(lines[1].partition("] ")[2]) == {"Cookie": "a=[secret]"}


class Collector(logging.Handler):
    """Keeps the records that reach it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def collector(stream: io.StringIO) -> Iterator[Collector]:
    handler = Collector()
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def test_the_record_of_a_later_request_is_like_any_other(collector: Collector) -> None:
    for duration_s in (0.001, 0.002):
        log_request(log, request(200, duration_s=duration_s))
    first, later = collector.records
    usual = log.makeRecord(log.name, logging.INFO, "", 0, "", (), None, "log_request")
    assert later.__dict__.keys() == first.__dict__.keys() >= usual.__dict__.keys()
    assert first.created <= later.created <= usual.created
    assert first.relativeCreated <= later.relativeCreated <= usual.relativeCreated
    assert later.msecs == int(later.created % 1 * 1000)
    assert [record.getMessage()[-6:] for record in collector.records] == ["1.00ms", "2.00ms"]
    changing = {"created", "msecs", "relativeCreated", "msg", "message", "asctime"}
    for name in first.__dict__.keys() - changing:
        assert getattr(later, name) == getattr(first, name), name


def test_an_operators_own_kind_of_record_is_made(collector: Collector) -> None:
    class Own(logging.LogRecord):
        pass

    usual = logging.getLogRecordFactory()
    log_request(log, request(200))
    logging.setLogRecordFactory(Own)
    try:
        log_request(log, request(200))
    finally:
        logging.setLogRecordFactory(usual)
    assert [type(record) for record in collector.records] == [logging.LogRecord, Own]


def test_extra_handlers_and_files_get_the_log_in_its_format(
    stream: io.StringIO, tmp_path: Path
) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    file = tmp_path / "hub.log"
    set_up_logging(LogSettings(handlers=(handler,), file=str(file)), stream)
    log.info("hello %s", "ada")
    assert LINE.fullmatch(out.getvalue())
    assert LINE.fullmatch(file.read_text())
    assert LINE.fullmatch(stream.getvalue())


def test_a_handler_keeps_a_format_of_its_own(stream: io.StringIO) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    set_up_logging(LogSettings(handlers=(handler,)), stream)
    log.info("x")
    assert out.getvalue() == "<x>\n"


OVERRIDING = """
import logging, sys
from perijove.domain.settings import LogSettings
from perijove.telemetry.log import set_up_logging

set_up_logging(LogSettings(overrides={
    "handlers": {
        "file": {"class": "logging.FileHandler", "filename": sys.argv[1], "formatter": "console"},
    },
    "loggers": {"JupyterHub": {"level": "WARNING", "handlers": ["console", "file"]}},
}))
logging.getLogger("JupyterHub").info("left out")
logging.getLogger("JupyterHub").warning("told\\n%s", "once\\n")
logging.getLogger("perijove.servers").info("room")
"""


def test_a_dictionary_of_the_operators_changes_the_log(tmp_path: Path) -> None:
    # In a process of its own: dictConfig closes every handler that there is.
    file = tmp_path / "hub.log"
    command = [sys.executable, "-c", OVERRIDING, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    lines = done.stderr.splitlines()
    assert [line[:3] for line in lines] == ["[W ", "   ", "[I "]
    assert file.read_text().splitlines() == lines[:2]
    assert lines[1] == "    once\\n"


@pytest.mark.parametrize(
    ("name", "shown"), [("ada", "ada"), ("a" * 32, "a" * 32), ("a" * 33, "a" * 16 + "...")]
)
def test_a_claimed_name_is_shortened(name: str, shown: str) -> None:
    assert shown_name(name) == shown
