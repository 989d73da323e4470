"""Spawners for tests: a tiny server instead of Jupyter, and the ways in which starts go wrong."""

import asyncio
import os
import sys
from typing import Any

from traitlets import Integer, Unicode, default

from perijove.plugins.local import SimpleLocalProcessSpawner
from perijove.plugins.spawner import SpawnException

INHERITED = ("JUPYTERHUB", "COVERAGE")
"""Servers of tests keep the variables with these words in their names."""


class MockSpawner(SimpleLocalProcessSpawner):
    """Starts ``echo_server`` as the user who runs the tests."""

    use_this_api_token: str | None = None

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        return [sys.executable, "-m", "perijove.testing.echo_server"]

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """The environment, with the query of the request that started the server."""
        env = super().user_env(env)
        if self.handler is not None:
            env["HANDLER_ARGS"] = self.handler.request.query
        return env

    def start(self) -> Any:
        """Start; with ``will_resume`` the token of the first start is used again."""
        keep = [name for name in os.environ if any(word in name for word in INHERITED)]
        self.env_keep = [*self.env_keep, *(name for name in keep if name not in self.env_keep)]
        if self.use_this_api_token:
            self.api_token = self.use_this_api_token
        elif self.will_resume:
            self.use_this_api_token = self.api_token
        return super().start()


class SlowSpawner(MockSpawner):
    """Takes ``delay`` seconds to start and to stop, or as long as ``_start_future`` lasts."""

    delay: float = 5
    _start_future: "asyncio.Future[Any] | None" = None

    async def start(self) -> Any:
        """Start slowly."""
        address = await super().start()
        if self._start_future is not None:
            await self._start_future
        else:
            await asyncio.sleep(self.delay)
        return address

    async def stop(self, now: bool = False) -> None:
        """Stop slowly."""
        await asyncio.sleep(self.delay)
        await super().stop(now=now)


class NeverSpawner(MockSpawner):
    """Never finishes its start."""

    @default("start_timeout")
    def _default_start_timeout(self) -> int:
        return 1

    def start(self) -> Any:
        """A future that nobody resolves."""
        return asyncio.get_running_loop().create_future()

    async def stop(self, now: bool = False) -> None:
        """There is nothing to stop."""

    async def poll(self) -> int | None:
        """It does not run."""
        return 0


class BadSpawner(MockSpawner):
    """Fails at once."""

    def start(self) -> Any:
        """Raises RuntimeError."""
        raise RuntimeError("I don't work!")


class SlowBadSpawner(MockSpawner):
    """Fails after half a second."""

    async def start(self) -> Any:
        """Raises RuntimeError."""
        await asyncio.sleep(0.5)
        raise RuntimeError("I don't work!")


class CustomBadSpawner(MockSpawner):
    """Refuses with a message and a status of its own."""

    status_code = Integer(418).tag(config=True)
    message = Unicode("custom message").tag(config=True)
    reason = Unicode("custom reason").tag(config=True)

    def start(self) -> Any:
        """Raises SpawnException."""
        raise SpawnException(self.message, reason=self.reason, status_code=self.status_code)


class CustomInputSpawner(SlowSpawner):
    """Tells its server, in the environment, what was put into ``form_input``."""

    form_input = Unicode()

    def get_env(self) -> dict[str, str]:
        """The environment with FORM_INPUT."""
        return {**super().get_env(), "FORM_INPUT": self.form_input}


class FormSpawner(MockSpawner):
    """Has an options form, whose field ``energy`` ends in the server's environment."""

    energy = Unicode()
    my_display_name = Unicode()
    opt_foo = Unicode()

    options_form = '<input aria-label="energy" name="energy" type="text" value=""/>'
    apply_user_options = {
        "energy": "energy",
        "display_name": "my_display_name",
        "opt-foo": "opt_foo",
    }

    def options_from_form(self, form_data: Any) -> dict[str, Any]:
        """Options from the form. Raises ValueError for ``illegal_argument``."""
        if "illegal_argument" in form_data:
            raise ValueError("You are not allowed to specify 'illegal_argument'")
        options: dict[str, Any] = {"notspecified": 5}
        if "bounds" in form_data:
            options["bounds"] = [int(bound) for bound in form_data["bounds"]]
        for name in self.apply_user_options:
            if name in form_data:
                options[name] = form_data[name][0]
        if "hello_file" in form_data:
            options["hello"] = form_data["hello_file"][0]
        return options

    def get_env(self) -> dict[str, str]:
        """The environment with ENERGY."""
        return {**super().get_env(), "ENERGY": self.energy}


class FalsyCallableFormSpawner(FormSpawner):
    """Its form is a function that gives nothing."""

    def options_form(self, spawner: Any) -> str:  # type: ignore[override]
        """No form."""
        return ""
