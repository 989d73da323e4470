"""Records of starts and stops through jupyter_events, for operators who ask for them."""

import io
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from traitlets.config import Config

from perijove.telemetry.audit import SCHEMA_ID, Audit


def audit_to(stream: io.StringIO, section: str = "EventLogger", **more: Any) -> Audit:
    config = Config()
    config[section].handlers = [logging.StreamHandler(stream)]
    for key, value in more.items():
        config[section][key] = value
    return Audit(config)


@pytest.mark.parametrize("section", ["EventLogger", "EventLog"])
def test_a_record_is_one_json_line_with_upstreams_keys(section: str) -> None:
    stream = io.StringIO()
    audit_to(stream, section).server_action("start", "ada", "lab")
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert record.pop("__timestamp__")
    assert record == {
        "__schema__": SCHEMA_ID,
        "__schema_version__": "1",
        "__metadata_version__": 1,
        "action": "start",
        "username": "ada",
        "servername": "lab",
    }


def test_names_cannot_break_the_line() -> None:
    stream = io.StringIO()
    audit_to(stream).server_action("stop", 'a\n"}', "")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["username"] == 'a\n"}'


def test_the_old_list_of_schemas_is_ignored() -> None:
    stream = io.StringIO()
    audit_to(stream, "EventLog", allowed_schemas=["x"]).server_action("start", "ada", "")
    assert stream.getvalue()


@pytest.mark.parametrize("config", [None, Config(), Config(EventLogger={"handlers": []})])
def test_without_handlers_nothing_is_recorded(config: Any) -> None:
    Audit(config).server_action("start", "ada", "")


def test_a_record_that_cannot_be_emitted_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    audit_to(io.StringIO()).server_action("explode", "ada", "")
    assert "Could not emit" in caplog.text


def test_the_slow_library_is_not_loaded_unless_it_is_used() -> None:
    code = (
        "import sys\n"
        "from perijove.telemetry.audit import Audit\n"
        "Audit().server_action('start', 'a', '')\n"
        "print('jupyter_events' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
