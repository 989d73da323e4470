"""The tornado pages for signing in and out that authenticators inherit and replace.

The hub itself answers ``/hub/login`` and ``/hub/logout`` without tornado; these
are for authenticators that put their own classes there.
"""

from typing import Any
from urllib.parse import quote

from tornado.web import HTTPError

from perijove.compat.base import BaseHandler, error_words
from perijove.domain.errors import Forbidden, InvalidInput, PluginError, Refusal
from perijove.kit.aio import maybe_await
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.context import PluginUser
from perijove.plugins.failures import as_hub_error
from perijove.web.pages.confirm import ask_to_sign_out, may_be_signed_out_by_force
from perijove.web.pages.signing import EXPIRED, WRONG, checked, with_next
from perijove.web.xsrf import is_navigation


class LoginHandler(BaseHandler):
    """The form for name and password."""

    def check_xsrf_cookie(self) -> None:
        """Checked in ``post``: a stale form comes back as a fresh one."""

    async def _render(self, login_error: str | None = None, username: str | None = None) -> str:
        """The form as HTML. Subclasses may return something else."""
        following = checked(self._hub_call, self.get_argument("next", "")) or ""
        prefix = self._hub_services.context.address.hub_prefix
        values: dict[str, Any] = {
            "next": quote(following, safe=""),
            "username": username or "",
            "login_error": login_error or "",
            "authenticator": self.authenticator,
            "authenticator_login_url": with_next(
                self._hub_call, self.authenticator.login_url(prefix)
            ),
            "login_service": self.authenticator.login_service,
            "login_term_url": self._hub_services.rooms.settings.pages.template_vars.get(
                "login_term_url", ""
            ),
        }
        source = self.authenticator.get_custom_html(prefix)
        if source:
            template = self.settings["jinja2_env"].from_string(source)
            values["custom_html"] = await template.render_async(
                **values, base_url=prefix, login_url=values["authenticator_login_url"]
            )
        html: str = await self.render_template("login.html", **values)
        return html

    async def get(self) -> None:
        """Show the form; who is signed in already goes on."""
        user = self.current_user
        if isinstance(user, PluginUser):
            self._signed_in = self._hub_call.caller.signed_in
            self.set_login_cookie(user)
            self.redirect(self.get_next_url(user), status=302)
            return
        if self.authenticator.auto_login:
            await self._go_on_by_itself()
            return
        self.finish(await maybe_await(self._render(username=self.get_argument("username", ""))))

    async def _go_on_by_itself(self) -> None:
        prefix = self._hub_services.context.address.hub_prefix
        url = self.authenticator.login_url(prefix)
        if url.rstrip("/") != f"{prefix}login":
            self.redirect(with_next(self._hub_call, url))
            return
        found = await self.login_user()
        if found is None:
            raise HTTPError(403, "You could not be signed in")
        self.redirect(self.get_next_url(found))

    async def post(self) -> None:
        """Sign in with the fields of the form."""
        data = {name: self.get_argument(name, strip=False) for name in self.request.arguments}
        data.pop("_xsrf", None)
        name = data["username"] = data.get("username", "").strip()
        try:
            self._hub_call.check_xsrf(self._hub_call.caller, self.get_argument("_xsrf", None))
        except Forbidden:
            await self._show_again(EXPIRED, name, 403)
            return
        try:
            user = await self.login_user(data)
        except InvalidInput as error:
            await self._show_again(error.message, name, 400)
            return
        except Exception as error:
            await self._refuse(error, name)
            return
        if user is None:
            await self._show_again(WRONG, name, 403)
        else:
            self.redirect(self.get_next_url(user))

    async def _refuse(self, error: Exception, name: str) -> None:
        """Show a deliberate refusal on the form; let anything else through."""
        found = as_hub_error(type(self.authenticator).__name__, "authenticate", error)
        if not isinstance(found, Refusal) or not is_navigation(self._hub_call.request):
            raise error
        await self._show_again(error_words(found)[0] or WRONG, name, found.status)

    async def _show_again(self, problem: str, name: str, status: int) -> None:
        self.set_status(status)
        html = await maybe_await(self._render(login_error=problem, username=name))
        self.finish(html)


class LogoutHandler(BaseHandler):
    """Signs a person out. Subclasses replace single steps."""

    async def _shutdown_servers(self, user: PluginUser) -> Any:
        """Stop the person's running servers."""
        rooms = self._hub_services.rooms
        detail = await rooms.users.get(user.name)
        for server in detail.servers:
            if server.active and server.pending is None:
                try:
                    await rooms.commands.request_stop(server)
                except PluginError as error:
                    self.log.error("%s", error)

    @property
    def shutdown_on_logout(self) -> bool:
        """Whether signing out stops a person's servers."""
        return bool(self.settings.get("shutdown_on_logout", False))

    def _backend_logout_cleanup(self, name: str) -> Any:
        """End the sign-in itself."""
        self.log.info("User logged out: %s", name)
        self.clear_login_cookie()

    async def default_handle_logout(self) -> None:
        """What the hub does at every sign-out."""
        user = self.current_user
        if user is None:
            return
        if self.shutdown_on_logout:
            await maybe_await(self._shutdown_servers(user))
        await maybe_await(self._backend_logout_cleanup(user.name))

    async def handle_logout(self) -> None:
        """What a subclass adds."""

    async def render_logout_page(self) -> None:
        """What people see afterwards."""
        if self.authenticator.auto_login:
            self.finish(await self.render_template("logout.html"))
        else:
            self.redirect(self.settings["login_url"], permanent=False)

    async def get(self) -> None:
        """Sign out; a link on a page of somebody else has to be confirmed."""
        by_hub = self.current_user and self._served_by_hub
        if by_hub and may_be_signed_out_by_force(self._hub_call):
            await self._answer_with(ask_to_sign_out)
            return
        await self.default_handle_logout()
        await maybe_await(self.handle_logout())
        await maybe_await(self.render_logout_page())


# What ``Authenticator.get_handlers`` gives; the room of plug-ins cannot know this one.
Authenticator._login_handlers = [("/login", LoginHandler)]
