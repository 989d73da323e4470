"""The hub of these tests: the kit's, with the plug-in in it."""

import sys

import pytest
from greeting import GreetingSpawner, TicketAuthenticator
from jupyterhub.tests.mocking import MockHub
from traitlets.config import Config


@pytest.fixture(scope="module")
async def app():
    config = Config()
    config.JupyterHub.authenticator_class = TicketAuthenticator
    config.TicketAuthenticator.tickets = {"ada", "golden"}  # the kit's login_user types the name
    config.Authenticator.admin_users = {"admin"}
    config.JupyterHub.spawner_class = GreetingSpawner
    config.GreetingSpawner.greeting = "Welcome"
    # Instead of Jupyter, start the kit's tiny server, which tells how it was started.
    config.GreetingSpawner.cmd = [sys.executable, "-m", "perijove.testing.echo_server"]
    hub = MockHub.instance(config=config)
    await hub.initialize()
    try:
        await hub.start()
        yield hub
    finally:
        MockHub.clear_instance()
        await hub.stop()
