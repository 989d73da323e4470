"""A people room with an OAuth provider, and shorthands for its two endpoints."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from people_house import House

from perijove.access.catalogue import CATALOGUE
from perijove.domain.settings import RoleSettings
from perijove.oauth.backchannel import Answer, Backchannel
from perijove.oauth.clients import Clients
from perijove.oauth.consent import Consent
from perijove.oauth.provider import Provider, Redirect
from perijove.oauth.validator import Validators
from perijove.people.sessions import SignedIn
from perijove.store import servers as server_store

CALLBACK = "http://127.0.0.1:1/callback"

CATALOGUE_WITH_CUSTOM = CATALOGUE.with_custom(
    {
        "custom:x:read": {"description": "read x"},
        "custom:x:write": {"description": "write x", "subscopes": ["custom:x:read"]},
    }
)

SERVICES: dict[str, dict[str, Any]] = {
    "app": {},
    "trusted": {"no_confirm": True},
    "private": {"no_confirm": True},
    "scoped": {
        "no_confirm": True,
        "allowed": ("read:users!user", "servers!user", "custom:x:read", "list:users"),
    },
    "inheriting": {"allowed": ("inherit",)},
}
OPEN = ("app", "trusted", "scoped", "inheriting")

USER_ROLE = {"name": "user", "scopes": ["self", *(f"access:services!service={n}" for n in OPEN)]}
X_ROLE = {"name": "x-role", "scopes": ["custom:x:write"], "users": ["xenia"]}


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    )


class OAuthHouse(House):
    """The room, its provider, and people who come to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, CATALOGUE_WITH_CUSTOM)
        self.clients = Clients(self.database, self.bus)
        self.set_up()

    def set_up(self, *, require_pkce: bool = False) -> None:
        """Make the provider's two sides."""
        validators = Validators(self.grants, self.tokens, self.clock, require_pkce)
        self.provider = Provider(self.database, validators)
        self.backchannel = Backchannel(self.database, validators, token_life_s=7200)

    async def furnish(self) -> None:
        """Owner with a running server, anna, xenia (who may more) and admin; the services."""
        for name, spec in SERVICES.items():
            await self.add_service(
                name,
                oauth_client_id=f"service-{name}",
                oauth_no_confirm=spec.get("no_confirm", False),
            )
            own = f"access:services!service={name}"
            await self.clients.register(
                f"service-{name}",
                secret=f"{name}-secret-0123456789",
                redirect_uri=f"{CALLBACK}/{name}",
                description=f"Service {name}",
                allowed_scopes=(*spec.get("allowed", ()), own),
            )
        await self.prepare(RoleSettings(load_roles=(USER_ROLE, X_ROLE)))
        await self.add("owner", "anna", "stranger")
        await self.add("admin", admin=True)
        server = await self.database.read(lambda c: server_store.find(c, "owner", ""))
        assert server is not None
        await self.clients.register(
            "jupyterhub-user-owner",
            secret="server-token-0123456789",
            redirect_uri="/user/owner/oauth_callback",
            description="Server at /user/owner/",
            allowed_scopes=("access:servers!server=owner/",),
        )
        await self.database.write(
            lambda c: server_store.edit(c, server.id, oauth_client_id="jupyterhub-user-owner")
        )

    async def visitor(self, name: str) -> SignedIn:
        """Somebody who has just signed in."""
        return await self.sessions.open(await self.user(name))


def query(name: str = "trusted", **extra: str | None) -> str:
    """The query of an authorization request of this service (or of the server: ``owner``)."""
    values: dict[str, str | None] = {
        "client_id": f"service-{name}",
        "redirect_uri": f"{CALLBACK}/{name}",
        "response_type": "code",
        "state": f"st-{name}",
    }
    if name == "owner":
        values |= {
            "client_id": "jupyterhub-user-owner",
            "redirect_uri": "/user/owner/oauth_callback",
        }
    values |= extra
    return urlencode({key: value for key, value in values.items() if value is not None})


def sent(redirect: Redirect | Consent) -> dict[str, str]:
    """The parameters with which the browser is sent back."""
    assert isinstance(redirect, Redirect), redirect
    return dict(parse_qsl(urlsplit(redirect.location).query))


async def code_for(house: OAuthHouse, who: SignedIn, name: str = "trusted", **extra: str) -> str:
    """A code for this visitor, agreeing to everything shown."""
    consent = await house.provider.authorize_request(query(name, **extra), who)
    assert isinstance(consent, Consent), consent
    return sent(await house.provider.create_code(query(name, **extra), who, consent.scopes))["code"]


async def exchange(
    house: OAuthHouse, code: str | None, name: str = "trusted", **extra: str | None
) -> tuple[int, dict[str, Any]]:
    """What the token endpoint answers this client."""
    values: dict[str, str | None] = {
        "client_id": f"service-{name}",
        "client_secret": f"{name}-secret-0123456789",
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{CALLBACK}/{name}",
    }
    if name == "owner":
        values |= {
            "client_id": "jupyterhub-user-owner",
            "client_secret": "server-token-0123456789",
            "redirect_uri": "/user/owner/oauth_callback",
        }
    values |= extra
    return read(await house.backchannel.exchange(form(**values)))


def form(**values: str | None) -> str:
    """A form without what is None."""
    return urlencode({key: value for key, value in values.items() if value is not None})


def read(answer: Answer) -> tuple[int, dict[str, Any]]:
    """Status and body, once the headers are what every answer to a client has."""
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert (answer.headers.get("WWW-Authenticate") is not None) == (answer.status == 401)
    return answer.status, json.loads(answer.body or "{}")


async def token_of(house: OAuthHouse, who: SignedIn, name: str = "trusted", **extra: str) -> str:
    """An access token after a whole round."""
    status, body = await exchange(house, await code_for(house, who, name, **extra), name)
    assert status == 200, body
    token: str = body["access_token"]
    return token


async def scopes_for(house: OAuthHouse, who: SignedIn, name: str, **extra: str) -> frozenset[str]:
    """What the token that comes out of a whole round may do."""
    bearer = await house.tokens.resolve(await token_of(house, who, name, **extra))
    assert bearer is not None
    return (await house.grants.grant_of(bearer)).scopes
