"""Where people may go after signing in: nowhere outside the hub, however it is spelled."""

from urllib.parse import urljoin, urlsplit

import pytest

from perijove.web.next_url import MAX_LENGTH, checked_next

HOST = "hub.test:8000"
OWN = frozenset({HOST})


def check(value: str | None, base_url: str = "/", own: frozenset[str] = OWN) -> str | None:
    return checked_next(value, own_hosts=own, base_url=base_url)


@pytest.mark.parametrize(
    "value",
    [
        "//evil.test",
        "///evil.test",
        "////evil.test/x",
        "\\\\evil.test",
        "\\/evil.test",
        "http://evil.test",
        "https:evil.test",
        "http:/evil.test",
        "http:///evil.test",
        "HTTP://evil.test/",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://hub.test:8000/",
        f"http://{HOST}@evil.test/",
        f"http://user@{HOST}/",
        f"http://evil.test#{HOST}",
        f"http://evil.test?{HOST}",
        f"http://evil.test\\@{HOST}/",
        "http://hub.test:8001/",
        "http://hub.test:8000.evil.test/",
        "http://[evil.test",
        "http://hub.test:8000\uff0fevil.test",
        "\uff0f\uff0fevil.test",
        "/\t/evil.test",
        "\t//evil.test",
        "/\n/evil.test",
        "/hub\r\nset-cookie: a=b",
        "/\x00/evil.test",
        " //evil.test",
        "/hub /x",
        "/\x7f/evil.test",
        "home",
        "?next=x",
        "#x",
        "",
        None,
        "/" + "x" * MAX_LENGTH,
    ],
)
def test_what_could_lead_elsewhere_is_refused(value: str | None) -> None:
    assert check(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/hub/home", "/hub/home"),
        ("/", "/"),
        (f"http://{HOST}/user/ada/lab?x=1#top", "/user/ada/lab?x=1#top"),
        (f"https://{HOST.upper()}/hub/home", "/hub/home"),
        (f"//{HOST}/hub/home", "/hub/home"),
        (f"http://{HOST}", "/"),
        (f"http://{HOST}//evil.test", "/evil.test"),
        (f"http://{HOST}///evil.test", "/evil.test"),
        ("/%09/evil.test", "/%09/evil.test"),
        ("/%5cevil.test", "/%5cevil.test"),
        ("/\\evil.test", "/%5Cevil.test"),
        ("/hub/x?y=a\\b", "/hub/x?y=a%5Cb"),
    ],
)
def test_places_within_the_hub_are_reduced_to_a_path(value: str, expected: str) -> None:
    found = check(value)
    assert found == expected
    there = urlsplit(urljoin(f"http://{HOST}/hub/login", found))
    assert (there.scheme, there.netloc) == ("http", HOST)


@pytest.mark.parametrize(
    "value",
    [
        "/hub/user-redirect/git-pull?repo=https://github.com/a/b",
        "/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com%2Fa%2Fb&urlpath=tree%2Fx%252Fy",
        "/user/ada/lab/tree/a%20b.ipynb?x=://y",
    ],
)
def test_a_url_inside_the_query_does_not_make_a_foreign_host(value: str) -> None:
    assert check(value) == value


def test_letters_beyond_ascii_come_out_escaped_since_headers_are_ascii() -> None:
    assert check("/user/ü/lab?q=é\ufffd") == "/user/%C3%BC/lab?q=%C3%A9%EF%BF%BD"
    assert check("/x\ud800") == "/x?"


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        ("/pre/hub/home", True),
        ("/pre", True),
        ("/pre/", True),
        ("/pre/a/../hub", True),
        ("/", False),
        ("/prefix", False),
        ("/other", False),
        ("/pre/../other", False),
        ("/pre/%2e%2E/other", False),
        ("/pre/.%2e/other", False),
        ("/pre/./../other", False),
        (f"http://{HOST}/other", False),
    ],
)
def test_only_what_is_below_the_base_url_belongs_to_the_hub(value: str, stays: bool) -> None:
    assert (check(value, base_url="/pre/") is not None) is stays


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("ada.hub.test", True),
        ("ada.hub.test:443", True),
        ("hub.test", False),
        ("evilhub.test", False),
        ("hub.test.evil.test", False),
    ],
)
def test_hosts_of_people_below_the_domain_are_the_hubs_own(host: str, own: bool) -> None:
    found = check(f"https://{host}/user/ada/", own=frozenset({".hub.test"}))
    assert (found == "/user/ada/") is own
