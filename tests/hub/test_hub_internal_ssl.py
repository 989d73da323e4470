"""With internal_ssl, hub, proxy, servers and services believe only each other's certificates."""

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from harness import PERIJOVE, HubProcess, free_port, missing, wait_for
from test_hub_node_proxy import NODE_PROXY, PEERS, ready

pytestmark = pytest.mark.slow

SERVICE = Path(__file__).with_name("tls_service.py")
UPSTREAM = PEERS / "jupyterhub-6.1.1" / "bin" / "jupyterhub-singleuser"

SETTINGS = """
c.JupyterHub.internal_ssl = True
c.JupyterHub.internal_certs_location = {location!r}
c.Spawner.cmd = {command!r}
c.Spawner.args = {arguments!r}
c.Spawner.http_timeout = 60
c.JupyterHub.services.append({{
    "name": "mirror", "url": {service!r}, "command": [{python!r}, "-S", {script!r}],
    "api_token": "token-of-the-mirror-0123456789",
}})
c.JupyterHub.load_roles = [
    {{"name": "seen", "scopes": ["read:users:name"], "services": ["mirror"]}}
]
{more}
"""


def start(directory: Path, command: list[str], more: str = "", **options: object) -> HubProcess:
    location = directory / "certificates"
    settings = SETTINGS.format(
        location=str(location),
        command=command,
        arguments=["--allow-root"] if os.geteuid() == 0 else [],
        service=f"https://127.0.0.1:{free_port()}",
        python=sys.executable,
        script=str(SERVICE),
        more=more,
    )
    hub = HubProcess(directory, settings, **options)  # type: ignore[arg-type]
    try:
        hub.start()
        hub.add_users(["ada", "bob"])
        for user in ("ada", "bob"):
            hub.request_server(user)
        for user in ("ada", "bob"):
            wait_for(f"{user}'s server", lambda user=user: ready(hub, user), 60)  # type: ignore[misc]
    except BaseException:
        print(hub.log_end())
        hub.end()
        raise
    return hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    hub = start(tmp_path_factory.mktemp("hub"), [str(PERIJOVE), "singleuser"])
    yield hub
    hub.end()


def certificate_of(hub: HubProcess, name: str) -> tuple[str, str]:
    pair = hub.directory / "certificates" / name / name
    return f"{pair}.crt", f"{pair}.key"


def call(hub: HubProcess, url: str, shown: str | None = None, token: str = "") -> httpx.Response:
    """Ask ``url`` with the certificate ``shown``; the caller itself believes any."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if shown:
        context.load_cert_chain(*certificate_of(hub, shown))
    headers = {"Authorization": f"token {token}"} if token else {}
    with httpx.Client(verify=context, trust_env=False, headers=headers, timeout=20) as client:
        return client.get(url)


def address_of(hub: HubProcess, user: str) -> str:
    """``https://host:port`` where that user's server itself listens."""
    spec = f"/user/{user}/"
    target: str = hub.api.get("/proxy").json()[spec]["target"]
    return target.rstrip("/")


def check_everything_is_reached(hub: HubProcess) -> None:
    token = hub.new_token("ada")
    headers = {"Authorization": f"token {token}"}
    with httpx.Client(base_url=hub.origin, headers=headers, trust_env=False) as client:
        assert client.get("/user/ada/api/status").status_code == 200
        assert client.get("/user/bob/api/status").status_code in (403, 404)
        assert client.get("/services/mirror/").json()["hub says"]["name"] == "mirror"
    browser = hub.sign_in("ada")
    assert browser.get("/user/ada/api/status").status_code in (200, 403)
    assert browser.get("/user/ada/lab").status_code == 200
    browser.close()
    for target in (route["target"] for route in hub.api.get("/proxy").json().values()):
        assert target.startswith("https://"), target
    seen = wait_for(
        "activity of ada's server",
        lambda: hub.api.get("/users/ada").json()["servers"][""]["last_activity"],
    )
    assert seen


def test_people_reach_their_servers_and_services(hub: HubProcess) -> None:
    check_everything_is_reached(hub)


@pytest.mark.parametrize("shown", [None, "user-bob", "service-mirror", "proxy-api"])
def test_a_server_answers_nobody_but_the_hub_and_the_proxy(
    hub: HubProcess, shown: str | None
) -> None:
    url = f"{address_of(hub, 'ada')}/user/ada/api"
    token = hub.new_token("ada")
    with pytest.raises(httpx.TransportError):
        call(hub, url, shown, token)
    for accepted in ("hub-internal", "proxy-client"):
        assert call(hub, url, accepted, token).status_code == 200


def test_the_hub_answers_nobody_without_a_certificate(hub: HubProcess) -> None:
    url = f"https://127.0.0.1:{hub.hub_port}/hub/api/"
    with pytest.raises(httpx.TransportError):
        call(hub, url)
    with pytest.raises(httpx.TransportError):
        httpx.get(url.replace("https", "http"), trust_env=False)
    assert call(hub, url, "user-ada").status_code == 200


def test_the_proxys_api_takes_no_certificate_of_its_own_clients(hub: HubProcess) -> None:
    url = f"https://127.0.0.1:{hub.proxy_port}/api/routes"
    for shown in (None, "proxy-client"):
        with pytest.raises(httpx.TransportError):
            call(hub, url, shown)
    assert call(hub, url, "hub-internal", "hub-tests-proxy-token").status_code == 200


def people_of(hub: HubProcess) -> dict[str, list[int]]:
    found = hub.server_processes()
    return {user: found[user] for user in ("ada", "bob")}


def test_servers_are_found_again_with_the_same_authorities(hub: HubProcess) -> None:
    before = people_of(hub)
    hub.kill()
    hub.start()
    wait_for("ada's server", lambda: ready(hub, "ada"), 60)
    assert people_of(hub) == before
    check_everything_is_reached(hub)


def test_upstreams_server_and_proxy_speak_it_too(tmp_path: Path) -> None:
    for tool in (UPSTREAM, NODE_PROXY):
        if not tool.exists():
            missing(f"{tool} is not installed (scripts/peer_venv.sh)")
    hub = start(
        tmp_path / "hub",
        [str(UPSTREAM)],
        f"c.ConfigurableHTTPProxy.command = [{str(NODE_PROXY)!r}]",
        environment={"PATH": os.pathsep.join([str(PEERS / "node" / "bin"), os.environ["PATH"]])},
    )
    try:
        check_everything_is_reached(hub)
        with pytest.raises(httpx.TransportError):
            call(hub, f"{address_of(hub, 'ada')}/user/ada/api", "user-bob")
    finally:
        hub.end()


def test_certificates_can_be_made_beforehand(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, f"c.JupyterHub.internal_certs_location = {str(tmp_path / 'own')!r}")
    done = subprocess.run(
        [*hub.command, "-f", str(hub.config), "--generate-certs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "own") in done.stdout
    key = tmp_path / "own" / "hub-internal" / "hub-internal.key"
    assert key.stat().st_mode & 0o077 == 0
