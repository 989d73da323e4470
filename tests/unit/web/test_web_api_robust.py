"""Whatever is sent to the API, it never answers that it failed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from web_house import WebHouse

from perijove.web import site  # noqa: F401 - declares every operation
from perijove.web.api.operations import DECLARED, Declared

ACTS = {
    # These end or start processes, and what they take is tested elsewhere.
    ("POST", "/shutdown"),
    ("POST", "/users/{name}/servers/{server_name}"),
    # A stream without an end.
    ("GET", "/events"),
}
TRIED = sorted(
    (d for d in DECLARED if (d.method, d.path) not in ACTS), key=lambda d: d.method == "DELETE"
)
"""Deletions come last, so that the others find what they are about."""

NAMES = [
    "ada",
    "nobody",
    "%00",
    "%7F",
    "a%0Ab",
    "%2E%2E",
    "%F0%9F%98%80",
    "a%2Fb",
    "x" * 300,
    "%25zz",
    "a!b=c",
    "sc_99999999999999999999",
]
QUERIES = [
    "",
    "?limit=0&offset=9223372036854775807",
    "?limit=-1&offset=-1",
    "?sort=%00&state=%00&name_filter=%00%ff%25_",
    "?code=%00&id=sc_%00&include_stopped_servers",
]


def bodies(declared: Declared) -> Iterator[bytes]:
    """Bodies of the wrong kind, and of the right kind with odd values."""
    yield from (b"", b"[]", b"null", b"5", b'"x"', b"{", b"\xff", b"{}")
    keys = [key for model in declared.bodies for key in model.model_fields]
    if not keys:
        return
    for value in (
        b"null",
        b"5",
        b'"\\u0000"',
        b'["\\u0000"]',
        b'{"\\u0000": 1}',
        b"1e400",
        b"true",
    ):
        pairs = b", ".join(b'"%s": %s' % (key.encode(), value) for key in keys)
        yield b"{%s}" % pairs
        for key in keys:
            yield b'{"%s": %s}' % (key.encode(), value)


@pytest.fixture
async def tried(tmp_path: Path, database_url: str) -> Any:
    """A hub with a person, a group and a share."""
    settings = (
        f"\nc.JupyterHub.allow_named_servers = True\nc.JupyterHub.db_url = {database_url!r}\n"
    )
    house = await WebHouse.open(tmp_path, settings)
    await house.add_user("ada")
    await house.root.post("/groups/ada", json={"users": ["ada"]})
    await house.root.post("/shares/ada/", json={"group": "ada"})
    yield house
    await house.close()


async def ask(house: WebHouse, declared: Declared, path: str, body: bytes) -> httpx.Response:
    kind = {"Content-Type": declared.body_type}
    return await house.root.request(declared.method, path, content=body, headers=kind)


async def test_odd_names_and_queries_are_never_our_fault(tried: WebHouse) -> None:
    for declared in TRIED:
        for path in declared.paths:
            for name in NAMES:
                url = re.sub(r"\{\w+\}", lambda _: name, path)  # noqa: B023 - used at once
                for query in QUERIES:
                    answer = await ask(tried, declared, url + query, b"")
                    assert answer.status_code < 500, f"{declared.method} {url}{query}"


async def test_odd_bodies_are_never_our_fault_and_always_refused_in_json(tried: WebHouse) -> None:
    for declared in TRIED:
        url = re.sub(r"\{server\w*\}", "", declared.path)
        url = re.sub(r"\{\w+\}", "ada", url)
        for body in bodies(declared):
            answer = await ask(tried, declared, url, body)
            said = f"{declared.method} {url} {body!r}: {answer.status_code} {answer.text[:200]}"
            assert answer.status_code < 500, said
            if answer.status_code >= 400 and "oauth2" not in url:
                assert answer.json()["status"] == answer.status_code, said


@pytest.mark.parametrize("accept", ["text/html;q=bogus", ",,,", ";;", "application/json;v=", "\t"])
async def test_odd_accept_headers_change_nothing(house: WebHouse, accept: str) -> None:
    answer = await house.root.get("/users", headers={"Accept": accept})
    assert answer.status_code == 200
    assert isinstance(answer.json(), list)


@pytest.mark.parametrize(
    "authorization",
    ["token", "token ", "bearer \xff", "token " + "x" * 5000, "Basic YTpi", "token a b", "\x00"],
)
async def test_odd_credentials_are_those_of_a_stranger(house: WebHouse, authorization: str) -> None:
    sent = {b"Authorization": authorization.encode("latin-1")}
    answer = await house.api().get("/user", headers=sent)
    assert answer.status_code == 403
    assert answer.json() == {"status": 403, "message": "Missing or invalid credentials."}


@pytest.mark.parametrize("host", ["", "a b", "a/b", "[::1", "x" * 5000])
async def test_an_impossible_host_is_the_callers_fault(house: WebHouse, host: str) -> None:
    await house.add_user("ada")
    ada = await house.as_user("ada")
    answer = await ada.get("/user", headers={"host": host})
    assert answer.status_code in (200, 400)
