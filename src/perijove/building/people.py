"""Accounts, sign-ins, tokens and grants."""

from dataclasses import dataclass

from perijove.access.catalogue import CATALOGUE
from perijove.building.ground import Ground
from perijove.domain.errors import ConfigError
from perijove.domain.ports import AuthenticatorPort
from perijove.kit.crypto import Cipher
from perijove.oauth.backchannel import Backchannel
from perijove.oauth.clients import Clients
from perijove.oauth.provider import Provider
from perijove.oauth.validator import Validators
from perijove.people.activity import Activity
from perijove.people.answers import Answers
from perijove.people.auth_state import AuthStates
from perijove.people.grants import Grants
from perijove.people.login import SignIn
from perijove.people.prepare import Preparation
from perijove.people.sessions import Sessions
from perijove.people.tokens import Tokens
from perijove.people.users import Users
from perijove.services.registry import Registry


@dataclass(frozen=True, slots=True)
class People:
    """What knows who people are and what they may do."""

    grants: Grants
    activity: Activity
    answers: Answers
    auth_states: AuthStates
    users: Users
    tokens: Tokens
    sessions: Sessions
    sign_in: SignIn
    clients: Clients
    provider: Provider
    backchannel: Backchannel
    registry: Registry
    preparation: Preparation


def make_people(ground: Ground, authenticator: AuthenticatorPort, cookie_name: str) -> People:
    """``cookie_name`` is that of the login cookie."""
    settings, database, bus, clock = ground.settings, ground.database, ground.bus, ground.clock
    security = settings.security
    grants = Grants(database, bus, clock, CATALOGUE.with_custom(settings.roles.custom_scopes))
    activity = Activity(database, clock, settings.activity.resolution_s)
    if authenticator.rules.enable_auth_state and not security.crypt_keys:
        raise ConfigError(
            "c.Authenticator.enable_auth_state is on, but there is no key to encrypt with: put 32 "
            "bytes in hex into the environment variable JUPYTERHUB_CRYPT_KEY (openssl rand -hex 32)"
        )
    auth_states = AuthStates(database, Cipher(security.crypt_keys))
    users = Users(database, bus, clock, authenticator, activity, auth_states)
    tokens = Tokens(database, bus, clock, grants, activity, max_life_s=security.token_max_life_s)
    sessions = Sessions(
        database,
        bus,
        clock,
        secret=security.cookie_secret,
        cookie_name=cookie_name,
        max_age_days=security.cookie_max_age_days,
    )
    validators = Validators(grants, tokens, clock, security.oauth_require_pkce)
    return People(
        grants=grants,
        activity=activity,
        answers=Answers(database, activity),
        auth_states=auth_states,
        users=users,
        tokens=tokens,
        sessions=sessions,
        sign_in=SignIn(
            database,
            bus,
            authenticator,
            users=users,
            sessions=sessions,
            grants=grants,
            activity=activity,
            auth_states=auth_states,
        ),
        clients=Clients(database, bus),
        provider=Provider(database, validators),
        backchannel=Backchannel(database, validators, token_life_s=security.oauth_token_life_s),
        registry=Registry(database, tokens, ground.addresses, ground.lease.id),
        preparation=_preparation(ground, authenticator, users, tokens, grants),
    )


def _preparation(
    ground: Ground,
    authenticator: AuthenticatorPort,
    users: Users,
    tokens: Tokens,
    grants: Grants,
) -> Preparation:
    services = ground.settings.services
    return Preparation(
        ground.database,
        ground.bus,
        authenticator,
        users,
        tokens,
        grants,
        ground.settings.roles,
        api_tokens=services.api_tokens,
        service_tokens=services.service_tokens,
    )
