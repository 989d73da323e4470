"""The proxy's table, and a proxy that has moved."""

from web_house import WebHouse

from perijove.domain.routes import Route

ELSEWHERE = "http://elsewhere.test"


async def test_a_proxy_that_has_moved_is_asked_there_from_now_on(house: WebHouse) -> None:
    house.proxy.address = ELSEWHERE
    answer = await house.root.patch("/proxy", json={"api_url": ELSEWHERE, "auth_token": "new"})
    assert (answer.status_code, answer.content) == (200, b"")
    house.proxy.table["/x/"] = Route("/x/", "http://127.0.0.1:1", {"extra": True})
    assert list((await house.root.get("/proxy")).json()) == ["/x/"]


async def test_an_address_at_which_no_proxy_answers_changes_nothing(house: WebHouse) -> None:
    answer = await house.root.patch("/proxy", json={"api_url": ELSEWHERE})
    assert answer.status_code == 400
    assert "nothing has changed" in answer.json()["message"]
    assert (await house.root.get("/proxy")).status_code == 200


async def test_a_proxy_that_is_down_is_no_fault_of_the_caller(house: WebHouse) -> None:
    house.proxy.down = True
    for method in ("GET", "POST", "PATCH"):
        body = {} if method == "PATCH" else None
        assert (await house.root.request(method, "/proxy", json=body)).status_code == 500
