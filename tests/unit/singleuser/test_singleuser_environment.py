"""The hub's orders, read before Jupyter Server is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from perijove.hubauth.settings import BadEnvironment
from perijove.singleuser.environment import ServerEnvironment, is_below_home

ORDERS = {
    "JUPYTERHUB_API_TOKEN": "t",
    "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-alice",
    "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:8888/user/alice/",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/",
    "JUPYTERHUB_USER": "alice",
}


def read(**changes: str) -> ServerEnvironment:
    return ServerEnvironment.from_environment(ORDERS | changes)


@pytest.mark.parametrize(
    "name", ["JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID", "JUPYTERHUB_SERVICE_URL"]
)
def test_a_missing_order_is_one_sentence_that_names_it(name: str) -> None:
    for missing in ({name: ""}, {}):
        env = {key: value for key, value in ORDERS.items() if key != name} | missing
        with pytest.raises(BadEnvironment, match=f"^{name} env is required to run perijove sing"):
            ServerEnvironment.from_environment(env)


def test_the_command_without_a_hub_ends_with_1_and_that_sentence_before_any_import() -> None:
    code = (
        "import sys; from perijove.singleuser.app import main\n"
        "status = main([])\n"
        "assert not {'jupyter_server', 'tornado', 'traitlets'} & set(sys.modules)\n"
        "sys.exit(status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PATH": ""}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert done.stderr.startswith("JUPYTERHUB_API_TOKEN env is required to run perijove singleuser")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "ip", "port"),
    [
        ("http://127.0.0.1:8888/user/alice/", "127.0.0.1", 8888),
        ("http://:8888/user/alice/", "", 8888),
        ("http://0.0.0.0:1234/", "0.0.0.0", 1234),
        ("http://[::1]:8888/", "::1", 8888),
        ("http://host/", "host", 80),
        ("https://host/", "host", 443),
    ],
)
def test_the_listen_address_is_that_of_the_service_url(url: str, ip: str, port: int) -> None:
    env = read(JUPYTERHUB_SERVICE_URL=url)
    assert (env.ip, env.port) == (ip, port)


@pytest.mark.parametrize("url", ["127.0.0.1:8888", "ftp://h:1/", "http://h:99999/", "http://[x/"])
def test_a_bad_service_url_is_named(url: str) -> None:
    with pytest.raises(BadEnvironment, match="JUPYTERHUB_SERVICE_URL"):
        read(JUPYTERHUB_SERVICE_URL=url)


def test_the_activity_interval_is_300_seconds_unless_ordered_otherwise() -> None:
    assert read().activity_interval_s == 300
    assert read(JUPYTERHUB_ACTIVITY_INTERVAL="0").activity_interval_s == 0
    with pytest.raises(BadEnvironment, match="JUPYTERHUB_ACTIVITY_INTERVAL"):
        read(JUPYTERHUB_ACTIVITY_INTERVAL="often")


def test_the_tilde_of_the_root_directory_is_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    assert read(JUPYTERHUB_ROOT_DIR="~/work").root_dir == "/home/alice/work"
    assert read().root_dir == ""


def test_the_old_choice_of_an_application_names_a_front_end() -> None:
    assert read(JUPYTERHUB_SINGLEUSER_APP="notebook").frontend == "notebook"
    assert read(JUPYTERHUB_SINGLEUSER_APP="jupyterlab.labapp.LabApp").frontend == "lab"
    assert read(JUPYTERHUB_SINGLEUSER_APP="jupyter_server.serverapp.ServerApp").frontend == ""


def test_addresses_of_the_hub_follow_host_and_base_url() -> None:
    env = read(JUPYTERHUB_HOST="https://hub.example", JUPYTERHUB_BASE_URL="/pre/")
    assert env.control_panel_url == "https://hub.example/pre/hub/home"
    assert env.share_url == "/pre/hub/user-redirect"


def test_files_of_the_home_are_the_users_but_the_environment_is_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert is_below_home(str(home / ".jupyter"), str(home))
    assert is_below_home(str(home), str(home))
    assert not is_below_home("/etc/jupyter", str(home))
    assert not is_below_home(f"{sys.prefix}/etc/jupyter", str(Path(sys.prefix).parent))
