"""What the REST API tells of people, servers, groups and services, for plug-ins' endpoints.

The models are those of the hub's own endpoints, with the fields that the caller of
the plug-in's endpoint may read.
"""

from typing import TYPE_CHECKING, Any

from tornado.web import RequestHandler

from perijove.domain.users import EVERYTHING
from perijove.store import details as detail_store
from perijove.store import groups as group_store
from perijove.store import servers as server_store
from perijove.store import services as service_store
from perijove.web.call import Call

if TYPE_CHECKING:
    from perijove.compat.services import HandlerServices


class ModelMethods(RequestHandler):
    """The part of ``APIHandler`` that makes models."""

    if TYPE_CHECKING:  # what BaseHandler adds

        @property
        def _hub_call(self) -> Call: ...

        @property
        def _hub_services(self) -> HandlerServices: ...

    def _read(self, work: Any) -> Any:
        context = self._hub_services.context
        context.db.settle()
        return context.database.read_now(work)

    @property
    def include_stopped_servers(self) -> bool:
        """Whether the caller asked for servers that do not run as well."""
        wanted = self.get_argument("include_stopped_servers", "0")
        return wanted.lower() not in {"0", "false"}

    def user_model(self, user: Any) -> dict[str, Any]:
        """A user, as the caller may see them; empty when the caller may not."""
        detail = self._read(lambda c: detail_store.detail(c, user.name, EVERYTHING))
        if detail is None:
            return {}
        views, grant = self._hub_services.rooms.views, self._hub_call.caller.grant
        return views.user(grant, detail, stopped_servers=self.include_stopped_servers)

    def server_model(self, spawner: Any, *, user: Any = None) -> dict[str, Any]:
        """A server, given by its spawner or what is stored of it."""
        owner = user if user is not None else spawner.user

        def read(connection: Any) -> Any:
            server = server_store.find(connection, owner.name, spawner.name)
            return server, frozenset(group_store.names_of_user(connection, owner.id))

        server, groups = self._read(read)
        if server is None:
            return {}
        return self._hub_services.rooms.views.server_for(
            self._hub_call.caller.grant, server, groups
        )

    def group_model(self, group: Any) -> dict[str, Any]:
        """A group, as the caller may see it; empty when the caller may not."""
        found = self._read(lambda c: group_store.find(c, group.name))
        if found is None:
            return {}
        return self._hub_services.rooms.views.group(self._hub_call.caller.grant, found)

    def service_model(self, service: Any) -> dict[str, Any]:
        """A service, as the caller may see it; empty when the caller may not."""
        found = self._read(lambda c: service_store.find(c, service.name))
        if found is None:
            return {}
        roles = tuple(role.name for role in service.roles)
        return self._hub_services.rooms.views.service(self._hub_call.caller.grant, found, roles)
