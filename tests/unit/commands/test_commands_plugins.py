"""``perijove plugins``: packages in an environment of their own, listed by the real command."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perijove.plugins import discover

PLUGINS = """
from jupyterhub.auth import Authenticator
from jupyterhub.spawner import Spawner

class Tickets(Authenticator):
    pass

class Rockets(Spawner):
    async def start(self): ...
    async def stop(self, now=False): ...
    async def poll(self): ...

class NoPlugin:
    pass
"""


def package(site: Path, name: str, points: str) -> None:
    info = site / f"{name}-2.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(points)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    package(
        site,
        "tickets",
        "[jupyterhub.authenticators]\nTickets = fair:Tickets\ngone = missing_module:Gone\n"
        "[jupyterhub.spawners]\nrockets = fair:Rockets\nwrong = fair:NoPlugin\n",
    )
    package(
        site,
        "jupyterhub",
        "[jupyterhub.authenticators]\npam = jupyterhub.auth:PAMAuthenticator\n",
    )
    package(site, "zebra", "[jupyterhub.spawners]\nrockets = fair:Other\nSimple = fair:Rockets\n")
    (site / "fair.py").write_text(PLUGINS)
    return site


def listed(site: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "perijove", "plugins", *words]
    env = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def test_every_plugin_is_listed_with_its_package_and_whether_it_loads(site: Path) -> None:
    done = listed(site, "--json")
    assert done.returncode == 1, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    rows = {(row["kind"], row["name"], row["package"]): row for row in found}
    tickets = rows["authenticator", "tickets", "tickets"]
    assert tickets["loads"]
    assert (tickets["class_path"], tickets["version"]) == ("fair.Tickets", "2.5")
    assert rows["spawner", "rockets", "tickets"]["loads"]
    problems = {name: row["problem"] for (_, name, _), row in rows.items() if not row["loads"]}
    assert "missing_module" in problems["gone"]
    assert problems["wrong"] == "it is no subclass of Spawner"
    assert rows["spawner", "rockets", "zebra"]["problem"] == "the name means the one of tickets"
    assert rows["spawner", "simple", "zebra"]["problem"] == "the name means the one of perijove"
    assert not [row for row in found if row["package"] == "jupyterhub"], "its names mean ours"
    assert rows["authenticator", "pam", "perijove"]["loads"]


def test_people_get_a_table(site: Path) -> None:
    lines = listed(site).stdout.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "CLASS", "PACKAGE", "LOADS"]
    assert any(
        line.split()[:5] == ["spawner", "rockets", "fair.Rockets", "tickets", "2.5"]
        for line in lines
    )


def test_short_names_of_packages_work_in_the_configuration(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(site))
    assert discover.list_plugins(discover.SPAWNERS)["rockets"] == "fair:Rockets"
    config = tmp_path / "config.py"
    config.write_text("c.JupyterHub.spawner_class = 'Rockets'\nc.Rockets.start_timeout = 5\n")
    code = (
        "from perijove.compat import alias; alias.install()\n"
        "from perijove.config.load import load_hub\n"
        f"print(load_hub(['-f', {str(config)!r}]).hub.spawner_class)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "<class 'fair.Rockets'>", done.stderr


def test_a_plugin_that_asks_the_database_while_it_is_made_passes_the_check(tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text(
        "from jupyterhub import orm\n"
        "from jupyterhub.auth import DummyAuthenticator\n"
        "from sqlalchemy import Column, Integer, inspect\n"
        "class Own(orm.Base):\n"
        "    __tablename__ = 'own'\n"
        "    id = Column(Integer, primary_key=True)\n"
        "class Counting(DummyAuthenticator):\n"
        "    def __init__(self, **kwargs):\n"
        "        super().__init__(**kwargs)\n"
        "        assert 'own' in inspect(self.db.bind).get_table_names()\n"
        "        assert self.db.query(orm.User).count() == 0\n"
        "c.JupyterHub.authenticator_class = Counting\n"
        "c.Authenticator.allow_all = True\n"
    )
    command = [sys.executable, "-m", "perijove", "check-config", "-f", str(config)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["config.py"]
