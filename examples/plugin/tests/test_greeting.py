from jupyterhub.tests.utils import api_request, async_requests, public_url


async def test_a_ticket_lets_people_in(app):
    assert "jupyterhub-hub-login" in await app.login_user("ada")


async def test_without_a_ticket_the_form_comes_back(app):
    form = await async_requests.get(public_url(app, path="hub/login"))
    answer = await async_requests.post(
        public_url(app, path="hub/login"),
        data={"username": "eve", "password": "none", "_xsrf": form.cookies["_xsrf"]},
        cookies=form.cookies,
    )
    assert answer.status_code == 403


async def test_a_server_is_greeted(app, user):
    await user.spawn()
    server = public_url(app, user)
    env = (await async_requests.get(server + "env")).json()
    assert env["GREETING"] == f"Welcome, {user.name}!"


async def test_the_start_tells_what_it_does(app, user):
    events = [event async for event in user.spawner.progress()]
    assert events == [{"progress": 30, "message": f"Writing a card for {user.name}"}]


async def test_a_server_is_started_and_stopped_through_the_api(app, user):
    started = await api_request(app, "users", user.name, "server", method="post")
    assert started.status_code in (201, 202)
    stopped = await api_request(app, "users", user.name, "server", method="delete")
    assert stopped.status_code in (202, 204)


async def test_the_endpoint_asks_for_a_scope(app, user):
    answer = await api_request(app, "greeting", user.name)
    assert answer.json() == {"greeting": f"Hello, {user.name}!"}
    assert (await api_request(app, "greeting", user.name, noauth=True)).status_code == 403
