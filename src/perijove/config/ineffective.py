"""Options that are accepted and have no effect.

Accepted, because configuration files that set them must go on working; told, so
that nobody trusts in them.
"""

from traitlets import HasTraits

INEFFECTIVE: dict[str, str] = {
    "active_user_window": "nothing counts users by it; the metric active_users has periods of its "
    "own",
    "trust_user_provided_tokens": "no token is hashed slowly, whoever made it",
}
"""Option of ``JupyterHub`` to what is the case in spite of it."""


def ineffective_options(hub: HasTraits) -> list[str]:
    """A sentence for each option that is not as it is by default, and has no effect."""
    traits = hub.traits()
    return [
        f"c.JupyterHub.{option} has no effect: {what}"
        for option, what in INEFFECTIVE.items()
        if getattr(hub, option) != traits[option].default(hub)
    ]
