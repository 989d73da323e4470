"""The test kit runs suites of plug-ins: the example's, and one that uses all that it offers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "plugin"

pytestmark = pytest.mark.slow

SUITE = """
import asyncio, logging, os
from unittest import mock

import pytest
from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.spawner import SpawnException
from jupyterhub.tests.mocking import BadSpawner, CustomBadSpawner, FormSpawner, MockHub
from jupyterhub.tests.utils import (
    AsyncSession, add_user, api_request, async_requests, find_user, get_page,
    public_host, public_url,
)
from jupyterhub.utils import url_path_join


async def test_the_hub_is_the_application_object(app):
    assert JupyterHub.instance() is app
    assert app.users["admin"].admin
    assert app.users.settings is app.tornado_settings
    assert app.hub.base_url == url_path_join(app.base_url, "hub/")
    assert app.proxy.public_url == app.bind_url
    assert public_url(app).startswith(public_host(app))


async def test_people_sign_in(app):
    cookies = await app.login_user("bob")
    assert {"jupyterhub-hub-login", "jupyterhub-session-id", "_xsrf"} <= set(cookies.keys())
    page = await get_page("home", app, cookies=cookies)
    assert page.status_code == 200
    me = await api_request(app, "user", cookies=cookies)
    assert me.json()["name"] == "bob"
    assert find_user(app.db, "bob").name == "bob"


@pytest.mark.parametrize("round", [1, 2])
async def test_nobody_of_an_earlier_test_is_left(app, round):
    add_user(app.db, app, name="carol", admin=True)
    names = {user.name for user in app.db.query(orm.User)}
    assert names == {"admin", "user", "carol"}


async def test_a_server_runs_and_stops(app, user):
    user.spawner.cmd = [*user.spawner.cmd, "--mine"]
    await user.spawn()
    assert user.running and user.spawner.ready
    arguments = (await async_requests.get(public_url(app, user) + "args")).json()
    assert arguments[-1] == "--mine"
    spec = user.spawner.proxy_spec
    assert spec in await app.proxy.get_all_routes()
    await user.stop()
    assert not user.running
    assert spec not in await app.proxy.get_all_routes()


async def test_a_named_server_is_made_when_asked_for(app, user):
    with mock.patch.dict(app.tornado_settings, {"allow_named_servers": True}):
        spawner = user.get_or_create_spawner("lab", display_name="Lab")
        assert (spawner.name, spawner.orm_spawner.name) == ("lab", "lab")
        assert [found.name for found in user.all_spawners()] == ["", "lab"]


async def test_what_a_start_raises_comes_out_of_it(app, user, bad_spawn):
    with pytest.raises(RuntimeError, match="don't work"):
        await user.spawn()
    assert not user.active
    with mock.patch.dict(app.tornado_settings, {"spawner_class": CustomBadSpawner}):
        with pytest.raises(SpawnException, match="custom"):
            await user.spawn()
        answer = await api_request(app, "users", user.name, "server", method="post")
        assert answer.status_code == 418
        assert "custom message" in answer.json()["message"], answer.text[:300]


async def test_a_server_that_never_starts_is_given_up(app, user, never_spawn):
    with pytest.raises(Exception, match="1 second"):
        await user.spawn()


async def test_a_slow_start_can_be_watched_and_stopped(app, user, slow_spawn):
    user.spawner.delay = 0
    user.spawner._start_future = asyncio.get_running_loop().create_future()
    with mock.patch.object(type(app), "log", logging.getLogger("JupyterHub")):
        starting = asyncio.ensure_future(user.spawn())
        while not user.spawner.pending:
            await asyncio.sleep(0.05)
        assert user.spawner.pending == "spawn"
        user.spawner._start_future.set_result(None)
        await starting
    assert user.spawner.ready


async def test_a_form_s_options_reach_the_server(app):
    with mock.patch.dict(app.tornado_settings, {"spawner_class": FormSpawner}):
        browser = AsyncSession()
        browser.cookies.update(await app.login_user("dora"))
        page = await browser.get(public_url(app, path="hub/spawn"))
        assert 'name="energy"' in page.text
        form = {"energy": "512keV", "_xsrf": browser.cookies["_xsrf"]}
        await browser.post(public_url(app, path="hub/spawn"), data=form)
        dora = app.users["dora"]
        while not dora.spawner.ready:
            await asyncio.sleep(0.05)
        env = (await async_requests.get(public_url(app, dora) + "env")).json()
        assert env["ENERGY"] == "512keV"


async def test_auth_state_is_kept_when_that_is_on(app, auth_state_enabled):
    await app.login_user("flo")
    assert await app.users["flo"].get_auth_state() == {"who": "cares"}


async def test_a_user_can_have_any_scopes(app, create_user_with_scopes):
    user = create_user_with_scopes("self", "read:hub")
    answer = await api_request(app, "info", name=user.name)
    assert answer.status_code == 200, answer.text
    assert "read:hub" in (await api_request(app, "user", name=user.name)).json()["scopes"]


async def test_a_database_without_a_hub(db):
    assert [user.name for user in db.query(orm.User)] == ["user"]
    hub = MockHub()
    hub.init_db()
    assert hub.db.query(orm.User).count() == 0
"""

ENCRYPTED_SUITE = """
import pytest
from jupyterhub.tests.conftest import app, ssl_tmpdir
from jupyterhub.tests.mocking import MockHub
from jupyterhub.tests.utils import add_user, public_url

# Suites of spawners whose servers run elsewhere say so on the class.
MockHub.hub_ip = "0.0.0.0"
MockHub.hub_connect_ip = "127.0.0.1"
ssl_enabled = True


async def test_a_server_runs_behind_certificates(app, ssl_tmpdir):
    assert app.hub.bind_url.startswith("https://"), app.hub.bind_url
    assert app.hub.ip == "0.0.0.0"
    assert app.hub.url.startswith("https://127.0.0.1:"), app.hub.url
    user = add_user(app.db, app, name="erin")
    await user.spawn()
    assert user.spawner.ready
    assert user.spawner.server.url.startswith("https://")
    await user.stop()
"""

OWN_HUB_SUITE = """
from jupyterhub.tests.mocking import MockHub
from jupyterhub.tests.utils import add_user, async_requests
from jupyterhub.utils import random_port
from tornado.log import app_log
from traitlets.config import Config


class OwnHub(MockHub):
    def init_logging(self):
        pass


async def test_a_hub_is_made_and_ended_by_hand():
    config = Config()
    config.JupyterHub.bind_url = f"http://127.0.0.1:{random_port()}/@/space%20word/"
    config.JupyterHub.services = [{"name": "gateway", "api_token": "token-of-gateway"}]
    hub = OwnHub(log=app_log, config=config)
    # As plug-ins of whole installations do, after the hub is made.
    hub.services.append({"name": "second", "api_token": "token-of-second"})
    await hub.initialize([])
    await hub.start()
    token = add_user(hub.db, name="alice").new_api_token()
    hub.db.commit()
    known = {"gateway": "token-of-gateway", "second": "token-of-second", "alice": token}
    for name, secret in known.items():
        # Without "hub": people who wrote the address down get there all the same.
        url = f"{config.JupyterHub.bind_url}api/user"
        answer = await async_requests.get(url, headers={"Authorization": f"token {secret}"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["name"] == name
    hub.log.handlers = []
    hub.http_server.stop()
    await hub.cleanup()
    assert hub.http_server is None
    OwnHub.clear_instance()
"""

INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = module
asyncio_default_test_loop_scope = module
"""


def run_pytest(where: Path, *words: str) -> str:
    """What pytest says that passes."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, cwd=where, env=env, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_the_example_of_a_plugin_with_tests_passes(tmp_path: Path) -> None:
    assert "6 passed" in run_pytest(EXAMPLE, "--basetemp", str(tmp_path / "pytest"))


def test_a_suite_written_for_jupyterhub_finds_all_that_it_uses(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "conftest.py").write_text('pytest_plugins = "jupyterhub.tests.conftest"\n')
    (tmp_path / "test_suite.py").write_text(SUITE)
    run_pytest(tmp_path, "-p", "perijove_alias", "--basetemp", str(tmp_path / "pytest"))


@pytest.mark.parametrize(
    "suite", [ENCRYPTED_SUITE, OWN_HUB_SUITE], ids=["with certificates", "of one's own"]
)
def test_a_suite_can_have_a_hub_that_it_makes_itself(suite: str, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "test_suite.py").write_text(suite)
    run_pytest(tmp_path, "-p", "perijove_alias", "--basetemp", str(tmp_path / "pytest"))
