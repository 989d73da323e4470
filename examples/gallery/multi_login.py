"""Two ways in on one page: the national federation, and local accounts for guests."""

from jupyterhub.auth import PAMAuthenticator
from multiauthenticator import MultiAuthenticator
from oauthenticator.cilogon import CILogonOAuthenticator

c = get_config()  # noqa: F821

IDPS = {
    "https://idp.north.example/shibboleth": {
        "username_derivation": {
            "username_claim": "eppn",
            "action": "strip_idp_domain",
            "domain": "north.example",
        },
        "allow_all": True,
    },
    "https://idp.south.example/shibboleth": {
        "username_derivation": {"username_claim": "email", "action": "prefix", "prefix": "south"},
        "allowed_domains": ["*.south.example"],
    },
}


class GuestAuthenticator(PAMAuthenticator):
    """Accounts of this machine, under a name for the button."""

    login_service = "a guest account"


c.JupyterHub.authenticator_class = MultiAuthenticator
c.MultiAuthenticator.authenticators = [
    {
        "authenticator_class": CILogonOAuthenticator,
        "url_prefix": "/federation",
        "config": {
            "client_id": "made-up-id",
            "client_secret": "made-up-secret",
            "oauth_callback_url": "https://hub.example.org/hub/federation/oauth_callback",
            "idps": IDPS,
        },
    },
    {
        "authenticator_class": GuestAuthenticator,
        "url_prefix": "/guests",
        "config": {"open_sessions": False, "allowed_users": {"guest1"}},
    },
]
c.MultiAuthenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
