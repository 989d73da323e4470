"""Finding the proof in a form's body."""

from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from perijove.hubauth.forms import find_proof, is_form

KINDS = st.sampled_from(
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        'multipart/form-data; boundary="',
        "text/plain",
        "",
    ]
)
PIECES = st.sampled_from(
    [b"--b", b"\r\n", b'Content-Disposition: form-data; name="_xsrf"', b"_xsrf=", b"&", b"--", b"x"]
)


def part(name: str, value: str, extra: str = "") -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'


@given(KINDS, st.binary(max_size=200) | st.lists(PIECES, max_size=12).map(b"".join))
def test_no_body_and_no_type_is_an_error(kind: str, body: bytes) -> None:
    assert isinstance(find_proof(kind, body), str)
    assert isinstance(is_form(kind), bool)


def test_the_field_is_found_before_the_form_has_ended() -> None:
    body = (
        part("a", "1") + part("_xsrf", "proof") + '--b\r\nContent-Disposition: form-data; name="f"'
    )
    assert find_proof("multipart/form-data; boundary=b", body.encode()) == "proof"


def test_the_first_field_counts_and_a_file_of_that_name_does_not() -> None:
    kind = "multipart/form-data; boundary=b"
    both = part("_xsrf", "one") + part("_xsrf", "two") + "--b--\r\n"
    assert find_proof(kind, both.encode()) == "one"
    upload = part("_xsrf", "proof", '; filename="x"') + "--b--\r\n"
    assert find_proof(kind, upload.encode()) == ""


def test_an_unfinished_field_is_none() -> None:
    head = part("_xsrf", "pro")[:-2]
    assert find_proof("multipart/form-data; boundary=b", head.encode()) == ""


@given(st.text(max_size=50))
def test_what_a_browser_encodes_is_read_back(value: str) -> None:
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    safe = value.encode("utf-8", "replace").decode()
    body = urlencode({"a": "1", "_xsrf": safe}).encode()
    assert find_proof(kind, body) == safe
