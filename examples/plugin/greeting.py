"""A small plug-in: a spawner that greets, an authenticator that asks for a ticket, an endpoint."""

from jupyterhub.apihandlers import APIHandler, default_handlers
from jupyterhub.auth import Authenticator
from jupyterhub.scopes import needs_scope
from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import Set, Unicode


class TicketAuthenticator(Authenticator):
    """Lets in whoever has one of the tickets, under the name that they type."""

    tickets = Set(Unicode(), help="Tickets that are valid.").tag(config=True)

    async def authenticate(self, handler, data):
        return data["username"] if data["password"] in self.tickets else None


class GreetingSpawner(SimpleLocalProcessSpawner):
    """Puts a greeting into the environment of each server, and says so while it starts."""

    greeting = Unicode("Hello", help="What servers are greeted with.").tag(config=True)

    def get_env(self):
        return {**super().get_env(), "GREETING": f"{self.greeting}, {self.user.name}!"}

    async def progress(self):
        yield {"progress": 30, "message": f"Writing a card for {self.user.name}"}


class GreetingHandler(APIHandler):
    """``GET /hub/api/greeting/NAME``"""

    @needs_scope("read:users:name")
    def get(self, user_name):
        self.write({"greeting": f"Hello, {user_name}!"})


default_handlers.append((r"/api/greeting/(?P<user_name>[^/]+)", GreetingHandler))
