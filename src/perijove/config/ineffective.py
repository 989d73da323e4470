"""Options that are accepted and have no effect.

Accepted, because configuration files that set them must go on working; told, so
that nobody trusts in them.
"""

from traitlets import HasTraits
from traitlets.config import Config

INEFFECTIVE: dict[str, str] = {
    "active_user_window": "nothing counts users by it; the metric active_users has periods of its "
    "own",
    "trust_user_provided_tokens": "no token is hashed slowly, whoever made it",
}
"""Option of ``JupyterHub`` to what is the case in spite of it."""


_NO_STATSD = "metrics are at /hub/metrics, for Prometheus"

GONE: dict[str, dict[str, str]] = {
    "JupyterHub": {
        "hub_prefix": "the hub is at hub/ below base_url",
        "statsd_host": _NO_STATSD,
        "statsd_port": _NO_STATSD,
        "statsd_prefix": _NO_STATSD,
    },
    "LocalProcessSpawner": {"set_user": "to start servers by sudo, use the package sudospawner"},
}
"""Section to options that older JupyterHubs had, each with what is the case instead."""


def take_out_gone(config: Config) -> list[str]:
    """Remove options that are gone; a sentence for each."""
    return [
        f"c.{section}.{option} has no effect any more: {what}"
        for section, options in GONE.items()
        for option, what in options.items()
        if config.get(section, {}).pop(option, None) is not None
    ]


def ineffective_options(hub: HasTraits) -> list[str]:
    """A sentence for each option that is not as it is by default, and has no effect."""
    traits = hub.traits()
    return [
        f"c.JupyterHub.{option} has no effect: {what}"
        for option, what in INEFFECTIVE.items()
        if getattr(hub, option) != traits[option].default(hub)
    ]
