"""A managed service of a real hub: once on any number of replicas, and back after a crash."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from harness import ROOT_TOKEN, HubProcess, free_port, wait_for

from perijove.wire.client import Retries, SyncHubClient

pytestmark = [pytest.mark.slow, pytest.mark.postgresql]

SERVICE = '''
import http.server, json, os, urllib.parse, urllib.request

url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
print("serving at", url.port, flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    """Who am I, as the hub says? Asked anew at each request."""

    def do_GET(self):
        token = os.environ["JUPYTERHUB_API_TOKEN"]
        request = urllib.request.Request(
            os.environ["JUPYTERHUB_API_URL"] + "/user", headers={"Authorization": "token " + token}
        )
        me = json.load(urllib.request.build_opener().open(request, timeout=10))
        body = json.dumps({"port": url.port, "name": me["name"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((url.hostname, url.port), Handler).serve_forever()
'''

SETTINGS = """
c.JupyterHub.services.append(
    {{"name": "web", "url": "http://127.0.0.1:{port}", "command": [{python!r}, {script!r}],
      "environment": {{"no_proxy": "*"}}}}
)
c.JupyterHub.cookie_secret = b"x" * 32
{more}
"""


@pytest.fixture
def replicas(tmp_path: Path, postgresql_url: str) -> Iterator[tuple[HubProcess, HubProcess]]:
    """Two replicas on one database and one proxy, which the first one has started."""
    script = tmp_path / "service.py"
    script.write_text(SERVICE)

    def settings(more: str = "") -> str:
        return SETTINGS.format(
            port=free_port(), python=sys.executable, script=str(script), more=more
        )

    # The proxy is to outlive the replica that started it.
    first = HubProcess(
        tmp_path / "first", settings("c.JupyterHub.cleanup_proxy = False"), postgresql_url
    )
    shared = (
        f"c.JupyterHub.bind_url = 'http://127.0.0.1:{first.port}/'\n"
        f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{first.proxy_port}'\n"
        "c.ConfigurableHTTPProxy.should_start = False\n"
    )
    second = HubProcess(tmp_path / "second", settings(shared), postgresql_url)
    # Whether the second one is up cannot be asked through the proxy, where the first answers.
    second.client = SyncHubClient(
        f"http://127.0.0.1:{second.hub_port}", ROOT_TOKEN, retries=Retries(attempts=1)
    )
    yield first, second
    for hub in (second, first):
        hub.end()


def service_processes(*hubs: HubProcess) -> list[psutil.Process]:
    """The living processes of the service that these hubs have started."""
    return [
        process
        for hub in hubs
        for process in hub.processes()
        if any(part.endswith("service.py") for part in process.cmdline())
    ]


def answer(hub: HubProcess) -> dict[str, object]:
    """What the service says through the proxy; {} when it does not answer."""
    try:
        reply = httpx.get(f"{hub.origin}/services/web/", timeout=10, trust_env=False)
        found: dict[str, object] = reply.json() if reply.status_code == 200 else {}
    except (httpx.HTTPError, ValueError):
        return {}
    return found


def test_one_replica_runs_the_service_and_another_takes_it_over(
    replicas: tuple[HubProcess, HubProcess],
) -> None:
    first, second = replicas
    first.start()
    seen = wait_for("the service", lambda: answer(first))
    assert seen["name"] == "web"
    assert f"serving at {seen['port']}" in first.log.read_text()
    assert "perijove.service.web" in first.log.read_text()
    second.start()
    wait_for(
        "word that the service runs elsewhere",
        lambda: "'web' runs at another replica" in second.log.read_text(),
    )
    assert len(service_processes(first, second)) == 1
    assert answer(first) == seen

    first.kill()
    other = wait_for("the service of the other replica", lambda: _moved(first, seen), 60)
    assert other["name"] == "web"
    assert [p.pid for p in service_processes(first, second)] == [
        p.pid for p in service_processes(second)
    ], "the process of the killed hub still runs"

    first.start()
    assert answer(first) == other, "a living replica keeps its service"
    assert second.stop() == 0
    assert service_processes(second) == []
    back = wait_for("the service to come back", lambda: _moved(first, other), 60)
    assert back == seen
    assert len(service_processes(first)) == 1


def _moved(hub: HubProcess, before: dict[str, object]) -> dict[str, object]:
    now = answer(hub)
    return now if now and now["port"] != before["port"] else {}
