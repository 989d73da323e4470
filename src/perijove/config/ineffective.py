"""Options that are accepted and have no effect.

Accepted, because configuration files that set them must go on working; told, so
that nobody trusts in them. Options without any effect in JupyterHub either are
not listed: they promise nothing.
"""

from traitlets import HasTraits

INEFFECTIVE: dict[str, str] = {
    "internal_ssl": "connections between hub, proxy, servers and services are not encrypted",
    "generate_certs": "no certificates are made",
    "internal_certs_location": "there are no internal certificates",
    "recreate_internal_certs": "there are no internal certificates",
    "external_ssl_authorities": "there are no internal certificates",
    "trusted_alt_names": "there are no internal certificates",
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
