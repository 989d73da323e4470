"""Services: lists, and those that are added and removed at run time."""

from perijove.wire.calls.call import Call, asks, nothing, one
from perijove.wire.models import Service, ServiceHealth
from perijove.wire.requests import ServiceRequest


class ServiceCalls:
    """Services."""

    @asks("GET /services")
    def services(self) -> Call[dict[str, Service]]:
        """All services that the token may see, by name."""
        return Call(one(dict[str, Service]))

    @asks("GET /services/{name}")
    def service(self, name: str) -> Call[Service]:
        """One service."""
        return Call(one(Service), names={"name": name})

    @asks("POST /services/{name}")
    def add_service(
        self, name: str, fields: ServiceRequest, *, exist_ok: bool = False
    ) -> Call[Service]:
        """A service that runs elsewhere, kept across restarts of the hub.

        Raises Conflict when it exists, unless ``exist_ok``: it stays as it is.
        """
        return Call(one(Service), names={"name": name}, body=fields, lenient=exist_ok)

    @asks("PATCH /services/{name}")
    def change_service(self, name: str, fields: ServiceRequest) -> Call[Service]:
        """Change a service that was added at run time; what is not named stays."""
        return Call(one(Service), names={"name": name}, body=fields)

    @asks("GET /services/{name}/health")
    def service_health(self, name: str) -> Call[ServiceHealth]:
        """Whether a service answers now, and as which process it runs."""
        return Call(one(ServiceHealth), names={"name": name})

    @asks("DELETE /services/{name}")
    def remove_service(self, name: str) -> Call[None]:
        """Remove a service that was added at run time."""
        return Call(nothing, names={"name": name})
