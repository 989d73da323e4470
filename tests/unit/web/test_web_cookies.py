"""The hub's cookies: flags, paths, signatures, and reading what browsers send."""

from typing import Any

import pytest
from starlette.responses import Response
from web_requests import make_request

from perijove.web.cookies import CookieJar, cookies_of

SECRET = b"s" * 32


def jar(**values: Any) -> CookieJar:
    return CookieJar(**{"secret": SECRET, "hub_prefix": "/pre/hub/", "base_url": "/pre/", **values})


def parts(header: str) -> dict[str, str]:
    """``name=value; a; b=c`` as a dictionary; flags map to an empty text."""
    found = {}
    for part in header.split("; "):
        name, _, value = part.partition("=")
        found[name] = value
    return found


def login_cookie(made: CookieJar, scheme: str = "http") -> dict[str, str]:
    response = Response()
    made.set_login(response, make_request(scheme=scheme), "VALUE")
    return parts(response.headers["set-cookie"])


def test_the_login_cookie_is_for_the_hub_alone_and_not_for_scripts() -> None:
    cookie = login_cookie(jar())
    assert cookie["jupyterhub-hub-login"] == "VALUE"
    assert cookie["Path"] == "/pre/hub/"
    assert "HttpOnly" in cookie
    assert "expires" in cookie
    assert "Domain" not in cookie


def test_cookies_are_secure_where_the_browser_uses_tls() -> None:
    assert "Secure" not in login_cookie(jar())
    assert "Secure" in login_cookie(jar(), "https")
    assert "Secure" in login_cookie(jar(secure=True))


def test_a_host_prefixed_cookie_has_what_browsers_demand_of_it() -> None:
    made = jar(host_prefix=True, options={"domain": "hub.test", "path": "/elsewhere"})
    cookie = login_cookie(made)
    assert cookie["__Host-jupyterhub-hub-login"] == "VALUE"
    assert cookie["Path"] == "/"
    assert "Secure" in cookie
    assert "Domain" not in cookie


def test_the_operators_options_win() -> None:
    options = {"samesite": "Strict", "secure": True, "path": "/x", "expires_days": 2}
    cookie = login_cookie(jar(options=options))
    assert (cookie["SameSite"], cookie["Path"]) == ("Strict", "/x")
    assert "Secure" in cookie
    assert "HttpOnly" not in login_cookie(jar(options={"httponly": False}))


def test_the_session_id_is_shared_with_servers_and_with_hosts_below_the_domain() -> None:
    response = Response()
    jar(domain="hub.test").set_session(response, make_request(), "SESSION")
    cookie = parts(response.headers["set-cookie"])
    assert cookie["jupyterhub-session-id"] == "SESSION"
    assert (cookie["Path"], cookie["Domain"]) == ("/pre/", "hub.test")


@pytest.mark.parametrize("host_prefix", [False, True])
def test_signing_out_forgets_every_cookie_where_it_was_set(host_prefix: bool) -> None:
    response = Response()
    made = jar(domain="hub.test", host_prefix=host_prefix)
    made.clear_all(response)
    cleared = {}
    for header in response.headers.getlist("set-cookie"):
        name = header.partition("=")[0]
        cookie = parts(header)
        assert cookie[name] == '""'
        assert "expires" in cookie
        cleared[name] = (cookie["Path"], cookie.get("Domain"))
    login_path = "/" if host_prefix else "/pre/hub/"
    assert cleared == {
        "jupyterhub-session-id": ("/pre/", "hub.test"),
        made.login_name: (login_path, None),
        "jupyterhub-services": ("/pre/services", None),
        "_xsrf": ("/pre/hub/", None),
    }


def test_a_signed_value_is_believed_under_its_own_name_and_key_only() -> None:
    signed = jar().sign("name", b"value")
    assert jar().unsign("name", signed) == b"value"
    assert jar().unsign("other", signed) is None
    assert jar(secret=b"t" * 32).unsign("name", signed) is None
    assert jar().unsign("name", signed[:-1]) is None
    assert jar().unsign("name", signed, max_age_days=-1) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a=1; b=2", {"a": ["1"], "b": ["2"]}),
        ("a=1; a=2", {"a": ["1", "2"]}),
        ('a="quoted"', {"a": ["quoted"]}),
        ('a="unterminated', {"a": ['"unterminated']}),
        ("a=x=y==", {"a": ["x=y=="]}),
        ("junk; ;;; a=1;", {"a": ["1"]}),
        ("_xsrf=;;;;=", {"_xsrf": [""], "": [""]}),
        ("a=\xff\xfe", {"a": ["\xff\xfe"]}),
        ("", {}),
    ],
)
def test_the_oddest_cookie_header_is_read_without_an_error(
    header: str, expected: dict[str, list[str]]
) -> None:
    assert cookies_of(make_request(headers={"Cookie": header})) == expected
