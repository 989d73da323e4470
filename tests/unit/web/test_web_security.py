"""What every page and operation has in common: proof of origin, headers, constant time."""

import ast
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from web_house import WebHouse

from perijove.web import site  # noqa: F401 - declares every operation
from perijove.web.api.operations import DECLARED, Declared
from perijove.web.xsrf import SAFE

SOURCE = Path(__file__).parents[3] / "src" / "perijove"
NAMES = {
    "name": "ada",
    "user": "ada",
    "owner": "ada",
    "server": "x",
    "server_name": "x",
    "token_id": "a1",
    "cookie_name": "jupyterhub-hub-login",
    "cookie_value": "x",
    "token": "x",
}
BY_COOKIE = [declared for declared in DECLARED if declared.auth in ("any", "optional", "page")]
CHANGES = [declared for declared in BY_COOKIE if declared.method not in SAFE]
READS = [d for d in BY_COOKIE if d.method == "GET" and d.auth == "any"]


def path_of(declared: Declared) -> str:
    return "/hub/api" + declared.path.format_map(NAMES)


def id_of(declared: Declared) -> str:
    return f"{declared.method} {declared.path}"


class Person:
    """Somebody in a browser: their client, and the token that their pages hold."""

    def __init__(self, house: WebHouse) -> None:
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=house.built.application),
            base_url="http://hub.test",
        )
        self.xsrf = ""

    @classmethod
    async def sign_in(cls, house: WebHouse, name: str) -> "Person":
        """Open a sign-in as the form does, and read the XSRF cookie."""
        person = cls(house)
        user = await house.rooms.users.find(name) or await house.add_user(name)
        signed_in = await house.rooms.sessions.open(user)
        cookies = person.client.cookies
        cookies.set(house.rooms.jar.login_name, house.rooms.sessions.cookie_value(signed_in))
        cookies.set("jupyterhub-session-id", signed_in.session_id or "")
        await person.client.get("/hub/home")
        person.xsrf = cookies["_xsrf"]
        return person

    async def ask(self, declared: Declared, xsrf: str | None, **headers: str) -> httpx.Response:
        """The operation with this proof, as a script of some page of the host would."""
        sent = {"sec-fetch-mode": "cors", "sec-fetch-site": "same-origin", **headers}
        if xsrf is not None:
            sent["x-xsrftoken"] = xsrf
        return await self.client.request(declared.method, path_of(declared), headers=sent)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[WebHouse, Person, Person]]:
    """A hub with an admin and somebody else, both signed in."""
    house = await WebHouse.open(tmp_path_factory.mktemp("hub"))
    admin, eve = await Person.sign_in(house, "admin"), await Person.sign_in(house, "eve")
    yield house, admin, eve
    for person in (admin, eve):
        await person.client.aclose()
    await house.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("declared", [*CHANGES, *READS], ids=id_of)
async def test_a_cookie_alone_does_nothing_for_another_page_of_the_host(
    people: tuple[WebHouse, Person, Person], declared: Declared
) -> None:
    _, admin, eve = people
    assert (await admin.ask(declared, None)).status_code == 403
    assert (await admin.ask(declared, eve.xsrf)).status_code == 403
    # Another person's page may plant the cookie that fits the token it knows.
    tossed = "; ".join(f"{name}={value}" for name, value in admin.client.cookies.items())
    planted = await admin.ask(declared, eve.xsrf, cookie=f"_xsrf={eve.xsrf}; {tossed}")
    assert planted.status_code == 403


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("declared", READS, ids=id_of)
async def test_the_own_page_gets_through_and_a_planted_cookie_does_not_hinder_it(
    people: tuple[WebHouse, Person, Person], declared: Declared
) -> None:
    _, admin, eve = people
    if "events" in declared.path:
        return  # a stream without end
    tossed = "; ".join(f"{name}={value}" for name, value in admin.client.cookies.items())
    for headers in ({}, {"cookie": f"_xsrf={eve.xsrf}; _xsrf=rubbish; {tossed}"}):
        answer = await admin.ask(declared, admin.xsrf, **headers)
        assert "_xsrf" not in answer.text
        assert "XSRF" not in answer.text


PAGES = (
    *("/hub/", "/hub/home", "/hub/login", "/hub/token", "/hub/admin", "/hub/spawn", "/hub/x"),
    *("/hub/spawn-pending/admin", "/hub/api-docs", "/hub/accept-share?code=x", "/hub/error/503"),
    *("/hub/user/admin/", "/hub/logo", "/hub/api/oauth2/authorize", "/hub/%zz"),
)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_forbids_frames_guessing_and_talkative_referrers(
    people: tuple[WebHouse, Person, Person], path: str
) -> None:
    house, admin, _ = people
    for client in (admin.client, Person(house).client):
        headers = (await client.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/user", "/users", "/", "/nothing", "/users/%zz", "/services"])
async def test_every_answer_of_the_api_may_load_nothing(
    people: tuple[WebHouse, Person, Person], path: str
) -> None:
    house, _, _ = people
    headers = (await house.root.get(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_flood_of_failed_sign_ins_leaves_nothing_behind(
    people: tuple[WebHouse, Person, Person],
) -> None:
    house, _, _ = people
    rows = await _rows(house)
    async with Person(house).client as client:
        form = await client.get("/hub/login")
        xsrf = client.cookies["_xsrf"]
        assert form.status_code == 200
        for number in range(50):
            long = f"{number}" + "x" * 200_000
            data = {"username": long, "password": long, "_xsrf": xsrf}
            answer = await client.post("/hub/login", data=data)
            assert answer.status_code in (400, 403)
    assert await _rows(house) == rows


async def _rows(house: WebHouse) -> dict[str, int]:
    """How many rows every table has."""

    def count(connection):  # type: ignore[no-untyped-def]
        names = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).scalars()
        return {
            name: connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar()
            for name in names.all()
        }

    found: dict[str, int] = await house.database.read(count)
    return found


SECRET = re.compile(r"secret|passw|digest|signature|verifier|token$|token_text|otp", re.IGNORECASE)
COMPARED_FREELY = {
    # Two settings of the operator, both in memory, at the start.
    "self.admin_password == self.user_password",
    # Lengths are no secrets.
    "len(key) == SECRET_BYTES",
    "len(raw) == SECRET_BYTES",
    # What is compared came out of a signed value whose signature was checked.
    "read_token(secret, value) == identifier",
    "xsrf.read_token(secret, value) == wanted",
    "xsrf.read_token(self.cookie_secret, value) == wanted",
    # How a PROXY header begins.
    "first == SIGNATURE[:8]",
    "head[:12] != SIGNATURE",
}


def test_secrets_are_compared_in_constant_time() -> None:
    found = set()
    # The test kit's password is the user's name.
    for file in set(SOURCE.rglob("*.py")) - set(SOURCE.glob("testing/*")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Compare):
                continue
            if not any(isinstance(operator, (ast.Eq, ast.NotEq)) for operator in node.ops):
                continue
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue
            if any(SECRET.search(ast.unparse(side)) for side in sides):
                found.add(ast.unparse(node))
    assert found <= COMPARED_FREELY
