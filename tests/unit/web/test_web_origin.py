"""Which page a browser comes from, as far as it says, and how far that is believed."""

import pytest
from starlette.requests import Request

from perijove.routes.addresses import Addresses
from perijove.web.origin import sent_by_stranger

HERE = "http://hub.test"
SUBDOMAINS = Addresses("/", HERE, domain_hook=lambda name, domain, kind: f"{name}.{domain}")


def request(
    referer: str | None, site: str | None = "same-origin", mode: str = "navigate"
) -> Request:
    headers = {"host": "hub.test", "sec-fetch-site": site, "referer": referer}
    headers["sec-fetch-mode"] = mode if site else None
    raw = [(name.encode(), value.encode()) for name, value in headers.items() if value is not None]
    return Request({"type": "http", "method": "GET", "path": "/hub/spawn", "headers": raw})


PAGES = [
    f"{HERE}/hub/home",
    f"{HERE}/user/ada/lab",
    f"{HERE}/services/notes/",
    f"{HERE}/user/mallory/evil",
    f"{HERE}/",
    HERE,
    None,
    "http://elsewhere.test/hub/home",
    "http://[",
]


@pytest.mark.parametrize("referer", PAGES)
def test_on_one_domain_no_page_is_known_by_the_address_that_it_shows(referer: str | None) -> None:
    assert sent_by_stranger(request(referer), Addresses("/"), "ada")
    assert sent_by_stranger(request(referer, None), Addresses("/"), "ada") is (referer is not None)


@pytest.mark.parametrize(
    ("referer", "stranger"),
    [
        (f"{HERE}/hub/home", False),
        (HERE, False),
        ("http://ada.hub.test/", False),
        ("http://mallory.hub.test/", True),
        ("http://hub.test.evil.test/", True),
        ("http://notes--service.hub.test/", True),
        ("http://hub.test:99/", True),
        ("http://[", True),
        (None, True),
    ],
)
def test_with_subdomains_a_host_is_the_hubs_or_ones_own(
    referer: str | None, stranger: bool
) -> None:
    for site in ("same-origin", "same-site"):
        assert sent_by_stranger(request(referer, site), SUBDOMAINS, "ada") is stranger


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
def test_where_it_is_believed_only_the_hubs_pages_services_and_ones_own_servers_count(
    referer: str | None, stranger: bool
) -> None:
    found = sent_by_stranger(request(referer), Addresses("/"), "ada", believing_paths=True)
    assert found is stranger


def test_who_typed_the_address_is_trusted() -> None:
    assert not sent_by_stranger(request(None, "none"), Addresses("/"), "ada")


def test_another_site_is_not_whatever_it_says() -> None:
    for addresses in (Addresses("/"), SUBDOMAINS):
        sent = request(f"{HERE}/hub/home", "cross-site")
        assert sent_by_stranger(sent, addresses, "ada")
        assert sent_by_stranger(sent, addresses, "ada", believing_paths=True)


@pytest.mark.parametrize("mode", ["no-cors", "cors", "same-origin"])
def test_what_is_no_navigation_was_no_click(mode: str) -> None:
    sent = request(f"{HERE}/hub/home", mode=mode)
    for addresses in (Addresses("/"), SUBDOMAINS):
        assert sent_by_stranger(sent, addresses, "ada", believing_paths=True)
