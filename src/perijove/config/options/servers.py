"""People's servers and limits on them."""

from typing import Any

from traitlets import Bool, Bunch, Enum, Float, HasTraits, Integer, Tuple, Unicode, Union, validate

from perijove.plugins.traits import Callable


class ServerOptions(HasTraits):
    """How many servers there are, and how they start and end."""

    log: Any

    allow_named_servers = Bool(
        False,
        help="""Let people have further servers, each with a name, besides their default one.""",
    ).tag(config=True)

    named_server_limit_per_user = Union(
        [Integer(), Callable()],
        default_value=0,
        help="""The number of named servers that a user may have; 0 for no limit.

        Or a callable `limit(handler)` that returns the number for the user who asks; it
        may be async. The default server does not count.
        """,
    ).tag(config=True)

    default_server_name = Unicode(
        "",
        help="""The named server that links without a server's name lead to.

        Used by `/hub/user-redirect/` and the like, when named servers are allowed.
        """,
    ).tag(config=True)

    allow_existing_invalid_named_servers = Enum(
        ["allow-start", "allow-delete", "autorename"],
        default_value="allow-start",
        help="""What becomes of named servers from before the present rule for names.

        `allow-start`: they work on. `allow-delete`: they can be stopped and deleted only.
        `autorename`: stopped ones get a valid name when the hub starts, and keep the old one
        for display.
        """,
    ).tag(config=True)

    active_server_limit = Integer(
        0,
        help="""The number of servers that may be active at once; 0 for no limit.

        Counts those that run, start or stop. Further starts are answered 429.
        """,
    ).tag(config=True)

    concurrent_spawn_limit = Integer(
        100,
        help="""The number of servers that may be starting at once; 0 for no limit.

        Further starts are answered 429 with a time to come back at.
        """,
    ).tag(config=True)

    init_spawners_timeout = Integer(
        10,
        help="""Seconds that a starting hub waits for the check of servers that ran before.

        The check goes on in the background after that. Negative: wait until it is done.
        """,
    ).tag(config=True)

    implicit_spawn_seconds = Float(
        0,
        help="""Seconds after which the page of a stopped server starts it; 0 for never.""",
    ).tag(config=True)

    redirect_to_server = Bool(
        True,
        help="""Lead people to their server after signing in, and not to the hub's home page.""",
    ).tag(config=True)

    user_redirect_hook = Callable(
        None,
        allow_none=True,
        help="""Decides where `/hub/user-redirect/...` leads.

        A callable `hook(path, request, user, base_url)` that returns a URL, or None for
        the usual target. May be async.
        """,
    ).tag(config=True)

    shutdown_on_logout = Bool(
        False,
        help="""Stop a user's servers when the user signs out.""",
    ).tag(config=True)

    cleanup_servers = Bool(
        True,
        help="""Stop all servers when the hub stops.

        Turn it off to restart the hub without anybody noticing: the next one finds the
        servers again.
        """,
    ).tag(config=True)

    use_legacy_stopped_server_status_code = Bool(
        False,
        help="""Answer requests to a stopped server with 503 and not 424, as hubs before
        version 2 did.
        """,
    ).tag(config=True)

    spawn_throttle_retry_range = Tuple(
        Float(),
        Float(),
        default_value=(30, 60),
        help="Seconds, from and to, after which a throttled start may be tried again.",
    ).tag(config=True)

    @validate("default_server_name")
    def _warn_if_unused(self, proposal: Bunch) -> Any:
        if proposal.value and not self.allow_named_servers:
            self.log.warning(
                "c.JupyterHub.default_server_name is not used: allow_named_servers is off"
            )
        return proposal.value
