"""What the provider tells clients about itself (RFC 8414)."""

from collections.abc import Iterable
from typing import Any

PATH = "/.well-known/oauth-authorization-server"
"""Where clients look: put in front of the issuer's path, or behind it."""

CLIENT_AUTHENTICATION = ["client_secret_basic", "client_secret_post"]


def issuer_path(path: str) -> str | None:
    """The path of the issuer that a client asks about with this path; None: it asks something else.

    Clients put ``PATH`` in front of the issuer's path (RFC 8414, section 3.1) or, as
    for OpenID, behind it.
    """
    before, found, after = path.partition(PATH)
    if not found or (before and after.strip("/")) or (after and not after.startswith("/")):
        return None
    return (before or after).rstrip("/")


def describe(issuer: str, api_url: str, scopes: Iterable[str]) -> dict[str, Any]:
    """The metadata document of ``issuer``, whose endpoints are below ``api_url``.

    A plain PKCE challenge is accepted and not advertised: S256 is what clients should use.
    """
    endpoints = f"{api_url}/oauth2"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{endpoints}/authorize",
        "token_endpoint": f"{endpoints}/token",
        "token_endpoint_auth_methods_supported": CLIENT_AUTHENTICATION,
        "introspection_endpoint": f"{endpoints}/introspect",
        "introspection_endpoint_auth_methods_supported": CLIENT_AUTHENTICATION,
        "revocation_endpoint": f"{endpoints}/revoke",
        "revocation_endpoint_auth_methods_supported": CLIENT_AUTHENTICATION,
        "scopes_supported": sorted(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "code_challenge_methods_supported": ["S256"],
    }
