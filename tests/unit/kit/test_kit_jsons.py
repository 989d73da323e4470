"""JSON of what other people's code made."""

import json
from typing import Any

import pytest

from perijove.kit import jsons


@pytest.mark.parametrize(
    "value", [{"a": [1, "b", None, 1.5, True]}, {}, [], "x", {"big": 10**40}, {"half": "\udcff"}]
)
def test_whatever_is_stored_can_be_written_and_read_again(value: Any) -> None:
    assert json.loads(jsons.encoded(jsons.packed(value))) == value


def test_bytes_come_back_as_bytes_wherever_they_are() -> None:
    value = {"file": [{"body": b"\x00\xff"}], "plain": "text"}
    assert jsons.unpacked(json.loads(jsons.encoded(jsons.packed(value)))) == value


def test_what_json_lacks_becomes_null_and_other_keys_stay() -> None:
    assert jsons.packed({"a": {1}, "b": (1, 2), ("c",): 3, 4: 5}) == {
        "a": None,
        "b": [1, 2],
        "4": 5,
    }


def test_bytes_that_were_tampered_with_are_none() -> None:
    assert jsons.unpacked({"x": {jsons.BYTES_KEY: True, "data": 5}}) == {"x": None}
