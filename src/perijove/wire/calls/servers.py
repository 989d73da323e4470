"""Servers of users. An empty server name is the default server."""

from perijove.wire.calls.call import Call, Following, asks, done, follows, one, parse
from perijove.wire.models import ProgressEvent, Server, ServerEvent, ServerSnapshot
from perijove.wire.requests import ServerChange, ServerRemoval, ServerRequest


def _names(name: str, server_name: str) -> dict[str, str]:
    return {"name": name, "server_name": server_name}


def _progress(data: str) -> ProgressEvent:
    event: ProgressEvent = parse(ProgressEvent, data)
    return event


def _ends_start(event: ProgressEvent) -> bool:
    return bool(event.ready or event.failed)


def _change(data: str) -> ServerSnapshot | ServerEvent:
    event: ServerSnapshot | ServerEvent = parse(ServerSnapshot | ServerEvent, data)
    return event


class ServerCalls:
    """Servers of users."""

    @asks("GET /users/{name}/servers/{server_name}")
    def server(self, name: str, server_name: str = "") -> Call[Server]:
        """A server, running or not. In JupyterHub from 6.0 on."""
        return Call(one(Server), names=_names(name, server_name))

    @asks("PUT /users/{name}/servers/{server_name}")
    def create_server(
        self,
        name: str,
        server_name: str,
        fields: ServerRequest | None = None,
        *,
        exist_ok: bool = False,
    ) -> Call[Server]:
        """A named server that does not run yet.

        Raises Conflict when it exists, unless ``exist_ok``: it stays as it is.
        """
        return Call(
            one(Server),
            names=_names(name, server_name),
            body=fields,
            lenient=exist_ok,
            repeatable=exist_ok,
        )

    @asks("POST /users/{name}/servers/{server_name}")
    def start_server(
        self,
        name: str,
        server_name: str = "",
        fields: ServerRequest | None = None,
        *,
        wait_s: int | None = None,
    ) -> Call[bool]:
        """Start a server, making a named one that is missing. False: it is still starting.

        ``wait_s``: how long to wait for it, if not as long as the hub does by itself;
        a server that runs already is then no error.
        """
        return Call(
            done,
            names=_names(name, server_name),
            body=fields,
            wait_s=wait_s,
            # Who waits is answered 200 for a server that an earlier request started.
            repeatable=wait_s is not None,
        )

    @asks("PATCH /users/{name}/servers/{server_name}")
    def edit_server(self, name: str, server_name: str, change: ServerChange) -> Call[Server]:
        """Another name, display name or options for a stopped server; what is not set stays."""
        return Call(one(Server), names=_names(name, server_name), body=change)

    @asks("DELETE /users/{name}/servers/{server_name}")
    def stop_server(
        self,
        name: str,
        server_name: str = "",
        *,
        remove: bool = False,
        wait_s: int | None = None,
    ) -> Call[bool]:
        """Stop a server; ``remove``: and forget the named one. False: it is still stopping."""
        body = ServerRemoval(remove=True) if remove else None
        return Call(done, names=_names(name, server_name), body=body, wait_s=wait_s)

    @follows("GET /users/{name}/servers/{server_name}/progress")
    def follow_start(self, name: str, server_name: str = "") -> Following[ProgressEvent]:
        """Events of the current start: what happened so far, then what follows.

        The last one has ``ready`` or ``failed``. Raises Invalid when nothing starts.
        """
        return Following(_progress, _names(name, server_name), _ends_start)

    @follows("GET /events")
    def follow_servers(self) -> Following[ServerSnapshot | ServerEvent]:
        """What happens to all servers that the token may see, without end. Not in JupyterHub.

        First a snapshot of those that are active, then each change; a new snapshot when
        changes may have been missed, also while the connection was down.
        """
        return Following(_change)
