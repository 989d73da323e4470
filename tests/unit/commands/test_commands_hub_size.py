"""What a hub does not load, because most hubs never need it."""

import subprocess
import sys
from pathlib import Path

CONFIG = """
c = get_config()
c.JupyterHub.authenticator_class = "dummy"
"""

HEAVY = {
    "aiohttp": "only with options of c.JupyterHubHTTPClient",
    "alembic": "only to upgrade a database",
    "certipy": "only with internal_ssl",
    "cryptography": "only with keys for auth_state, or internal_ssl",
    "h2": "only in the proxy",
    "httpx": "only in tests",
    "jupyter_events": "only with handlers for events",
    "psycopg": "only with PostgreSQL",
    "rich": "only for commands that print tables",
    "sqlalchemy.dialects.postgresql": "only with PostgreSQL",
    "sqlalchemy.orm": "only with plug-ins that look into the database",
}


def test_a_hub_that_is_built_has_not_loaded_what_few_hubs_need(tmp_path: Path) -> None:
    (tmp_path / "jupyterhub_config.py").write_text(CONFIG)
    code = """
import asyncio, sys
from perijove.app import HubProcess
from perijove.commands.hub import CLASSES
from perijove.compat import alias
from perijove.compat.app import JupyterHub
from perijove.config.load import load_hub
from perijove.config.settings import build_settings

async def main():
    alias.install()
    loaded = load_hub([], JupyterHub, classes=CLASSES)
    process = HubProcess(loaded, build_settings(loaded.hub))
    async with process.without_serving():
        print(*sys.modules)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    loaded = set(done.stdout.split())
    assert "perijove.servers.runner" in loaded, done.stderr
    assert {name: why for name, why in HEAVY.items() if name in loaded} == {}
