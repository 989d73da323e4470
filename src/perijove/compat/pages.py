"""The hub's pages as tornado classes, for plug-ins that inherit and extend them.

Each answers exactly as the page it is named after.
"""

from typing import Any

from tornado.httputil import url_concat

from perijove.compat.base import BaseHandler
from perijove.web.pages import home, spawning

default_handlers: list[tuple[Any, ...]] = []
"""Pages that plug-ins add while they are imported."""


class RootHandler(BaseHandler):
    """``/hub/``"""

    async def get(self) -> None:
        """Send people where they belong."""
        await self._answer_with(home.front_door)


class HomeHandler(BaseHandler):
    """``/hub/home``"""

    async def get(self) -> None:
        """The person's servers."""
        await self._answer_with(home.show_home)


class TokenPageHandler(BaseHandler):
    """``/hub/token``"""

    async def get(self) -> None:
        """The person's tokens."""
        await self._answer_with(home.show_tokens)


class AdminHandler(BaseHandler):
    """``/hub/admin``"""

    async def get(self, *args: Any) -> None:
        """The administrators' page."""
        await self._answer_with(home.show_admin)


class SpawnHandler(BaseHandler):
    """``/hub/spawn[/USER[/SERVER]]``"""

    def _name_path(self, user_name: str | None, server_name: str) -> None:
        names = {"user": user_name, "server": server_name}
        self._hub_call.params.update({key: value for key, value in names.items() if value})

    async def _render_form(
        self,
        for_user: Any,
        spawner_options_form: str,
        message: str = "",
        html_message: str = "",
    ) -> str:
        """The page with an options form as HTML, for handlers that show one of their own."""
        html: str = await self.render_template(
            "spawn.html",
            for_user=for_user,
            spawner=for_user.spawner,
            auth_state=await for_user.get_auth_state(),
            spawner_options_form=spawner_options_form,
            url=url_concat(self.request.uri or "", {"_xsrf": self.xsrf_token.decode()}),
            error_message=message,
            error_html_message=html_message,
            html_error_message=html_message,
        )
        return html

    async def get(self, user_name: str | None = None, server_name: str = "") -> None:
        """Start a server, or ask for options first."""
        self._name_path(user_name, server_name)
        await self._answer_with(spawning.show_spawn)

    async def post(self, user_name: str | None = None, server_name: str = "") -> None:
        """Start a server with the options of the form."""
        self._name_path(user_name, server_name)
        await self._answer_with(spawning.submit_spawn)


class SpawnPendingHandler(SpawnHandler):
    """``/hub/spawn-pending/USER[/SERVER]``"""

    async def get(self, user_name: str | None = None, server_name: str = "") -> None:
        """Show how a start goes on."""
        self._name_path(user_name, server_name)
        await self._answer_with(spawning.show_pending)


class LogoHandler(BaseHandler):
    """``/hub/logo``"""

    async def get(self) -> None:
        """The operator's logo."""
        await self._answer_with(home.logo)
