"""What commands print, and what they must never send to a terminal."""

import json
from datetime import UTC, datetime

import pytest

from perijove.commands.output import Output, plain
from perijove.wire.models import Group

GROUPS = [
    Group(kind="group", name="physics", users=["ada", "bob"]),
    Group(name="[red]\x1b[31mevil\n", users=[]),
]
COLUMNS = {"name": lambda g: g.name, "members": lambda g: g.users}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        ({}, "-"),
        (True, "yes"),
        (0, "0"),
        (["a", "b"], "a, b"),
        ({"a": 1}, '{"a": 1}'),
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-01-02 03:04:05Z"),
        ("a\x1b]0;title\x07\tb\r\n\u202e", "a\ufffd]0;title\ufffd\ufffdb\ufffd\ufffd\ufffd"),
        ("Größe 東", "Größe 東"),
    ],
)
def test_a_value_is_one_line_that_steers_no_terminal(value: object, shown: str) -> None:
    assert plain(value) == shown


def test_a_list_in_a_pipe_has_columns_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).models(GROUPS, COLUMNS)
    assert capsys.readouterr().out.splitlines() == [
        "NAME             MEMBERS",
        "physics          ada, bob",
        "[red]\ufffd[31mevil\ufffd  -",
    ]


def test_an_empty_list_still_has_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).models([], COLUMNS)
    assert capsys.readouterr().out == "NAME  MEMBERS\n"


def test_json_has_what_the_api_sent_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=True)
    out.line("for people only")
    out.models(GROUPS, COLUMNS)
    assert json.loads(capsys.readouterr().out) == [
        {"kind": "group", "name": "physics", "users": ["ada", "bob"]},
        {"name": "[red]\x1b[31mevil\n", "users": []},
    ]


def test_a_problem_goes_to_stderr_and_is_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=False)
    out.problem("It broke\x1b.")
    assert out.failed
    assert capsys.readouterr() == ("", "It broke\ufffd.\n")
