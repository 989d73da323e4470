"""Services."""

from traitlets import Dict, HasTraits, Integer, List


class ServiceOptions(HasTraits):
    """Programs next to the hub that use its API."""

    services = List(
        Dict(),
        help="""Services, each a dictionary.

        Keys: `name`; `url` (where it listens; it is routed at `/services/NAME/`); `command`,
        `cwd`, `environment` and `user` (the hub runs it); `api_token`; `timeout` (seconds to
        wait for the URL to answer); `display` and `info` (how it is shown); and for sign-in
        through the hub `oauth_client_id`, `oauth_redirect_uri`, `oauth_no_confirm` and
        `oauth_client_allowed_scopes`. Two are old: `admin` (gives the role `admin`) and
        `oauth_roles` (the scopes of these roles as `oauth_client_allowed_scopes`).

            c.JupyterHub.services = [
                {
                    "name": "idle-culler",
                    "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
                }
            ]

        What a service may do is said by `load_roles`. Of several hubs on one database one
        runs a service with a `command`; another takes it over when that one ends.
        """,
    ).tag(config=True)

    service_tokens = Dict(
        help="""API tokens of services: a dictionary from token to name of a service.

        A service that is not defined in `services` is made, with nothing but its token.
        """,
    ).tag(config=True)

    service_check_interval = Integer(
        60,
        help="""Seconds between two checks whether services with a URL answer; 0 for none.""",
    ).tag(config=True)
