"""Which page a browser comes from, as far as it says."""

import pytest
from starlette.requests import Request

from perijove.routes.addresses import Addresses
from perijove.web.origin import sent_by_stranger

HERE = "http://hub.test"


def request(referer: str | None, site: str | None = "same-origin") -> Request:
    headers = {"host": "hub.test", "sec-fetch-site": site, "referer": referer}
    raw = [(name.encode(), value.encode()) for name, value in headers.items() if value is not None]
    return Request({"type": "http", "method": "GET", "path": "/hub/spawn", "headers": raw})


@pytest.mark.parametrize(
    ("referer", "stranger"),
    [
        (f"{HERE}/hub/home", False),
        (f"{HERE}/user/ada/lab", False),
        (f"{HERE}/services/notes/", False),
        (f"{HERE}/user/mallory/evil", True),
        (f"{HERE}/user/ada-2/evil", True),
        (f"{HERE}/", True),  # a page that hides its address, or a redirect that did
        (HERE, True),
        (None, True),
        ("http://elsewhere.test/hub/home", True),
        ("http://[", True),
    ],
)
def test_only_the_hubs_pages_and_ones_own_are_trusted(referer: str | None, stranger: bool) -> None:
    assert sent_by_stranger(request(referer), Addresses("/"), "ada") is stranger


def test_who_typed_the_address_is_trusted() -> None:
    assert not sent_by_stranger(request(None, "none"), Addresses("/"), "ada")


def test_another_site_is_not_whatever_it_says() -> None:
    assert sent_by_stranger(request(f"{HERE}/hub/home", "cross-site"), Addresses("/"), "ada")
