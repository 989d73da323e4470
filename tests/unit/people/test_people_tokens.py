"""Tokens: made, recognised, bounded, revoked."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from people_house import House
from sqlalchemy import update

from perijove.domain.errors import ConfigError, InvalidInput, NotFound
from perijove.domain.tokens import HUB_CLIENT, OAuthClient
from perijove.people.tokens import MAX_LIFE_S, TokenRequest, Tokens
from perijove.store import oauth as oauth_store
from perijove.store.tables import tokens as token_table


def salted(secret: str, rounds: int = 1) -> str:
    digest = hashlib.sha512(b"abcdef0123456789")
    for _ in range(rounds):
        digest.update(secret.encode())
    return f"sha512:{rounds}:abcdef0123456789:{digest.hexdigest()}"


def stored_bytes(house: House) -> bytes:
    path = Path(house.database.path or "")
    return path.read_bytes() + path.with_name(path.name + "-wal").read_bytes()


async def import_hash(house: House, token_id: int, secret: str, rounds: int) -> None:
    await house.database.write(
        lambda c: c.execute(
            update(token_table)
            .where(token_table.c.id == token_id)
            .values(hashed=salted(secret, rounds), prefix=secret[:4])
        )
    )


async def test_token_is_recognised_and_nowhere_in_the_database(house: House) -> None:
    (ada,) = await house.add("ada")
    made = await house.tokens.request(ada, TokenRequest(note="mine"))
    assert len(made.secret) == 32
    bearer = await house.tokens.resolve(made.secret)
    assert bearer is not None
    assert bearer.owner == ada
    assert (bearer.token.note, bearer.token.scopes) == ("mine", ("inherit",))
    assert made.detail.client == "JupyterHub"
    assert b"mine" in stored_bytes(house)
    assert made.secret.encode() not in stored_bytes(house)


@pytest.mark.parametrize(
    "secret", ["", "x", "x" * 65, "unknown-token-0123456789", "\ud800x", "nul\0"]
)
async def test_what_is_no_token_is_nobody(house: House, secret: str) -> None:
    assert await house.tokens.resolve(secret) is None


@pytest.mark.parametrize("life", [-1, "abc", 1.5, 10**12, 10**20, True, False, [1], MAX_LIFE_S + 1])
async def test_life_that_makes_no_sense_is_invalid_input(house: House, life: object) -> None:
    (ada,) = await house.add("ada")
    with pytest.raises(InvalidInput, match="expires_in"):
        await house.tokens.request(ada, TokenRequest(expires_in_s=life))  # type: ignore[arg-type]
    assert await house.tokens.list_of(ada) == []


@pytest.mark.parametrize("life", [None, 0])
async def test_no_life_and_0_stand_for_no_end(house: House, life: int | None) -> None:
    (ada,) = await house.add("ada")
    made = await house.tokens.request(ada, TokenRequest(expires_in_s=life))
    assert made.detail.token.expires_at is None


async def test_token_ends_at_its_moment_even_from_the_cache(house: House) -> None:
    (ada,) = await house.add("ada")
    made = await house.tokens.request(ada, TokenRequest(expires_in_s=2))
    assert await house.tokens.resolve(made.secret) is not None
    await house.clock.advance(2)
    assert await house.tokens.resolve(made.secret) is None
    assert await house.tokens.list_of(ada) == []
    with pytest.raises(NotFound):
        await house.tokens.get(ada, made.detail.token.public_id)


async def test_longest_life_bounds_and_is_the_default(house: House) -> None:
    tokens = Tokens(
        house.database, house.bus, house.clock, house.grants, house.activity, max_life_s=3600
    )
    (ada,) = await house.add("ada")
    for life in (None, 0):
        made = await tokens.request(ada, TokenRequest(expires_in_s=life))
        assert made.detail.token.expires_at == house.clock.now() + timedelta(hours=1)
    assert await tokens.request(ada, TokenRequest(expires_in_s=3600))
    with pytest.raises(InvalidInput):
        await tokens.request(ada, TokenRequest(expires_in_s=3601))


@pytest.mark.parametrize(
    "request_",
    [
        TokenRequest(scopes=("admin:users",)),
        TokenRequest(scopes=("read:users!user=bob",)),
        TokenRequest(scopes=("nonsense",)),
        TokenRequest(scopes=("read:users!planet=mars",)),
        TokenRequest(scopes=("",)),
        TokenRequest(roles=("admin",)),
        TokenRequest(roles=("no-such-role",)),
        TokenRequest(roles=("user",), scopes=("self",)),
        TokenRequest(note="x" * 1024),
        TokenRequest(note="nul\0"),
    ],
)
async def test_request_beyond_owner_or_form_is_invalid_input(
    house: House, request_: TokenRequest
) -> None:
    ada, _ = await house.add("ada", "bob")
    with pytest.raises(InvalidInput):
        await house.tokens.request(ada, request_)
    assert await house.tokens.list_of(ada) == []


async def test_roles_become_scopes_at_once(house: House) -> None:
    (ada,) = await house.add("ada")
    made = await house.tokens.request(ada, TokenRequest(roles=("user",)))
    assert made.detail.token.scopes == ("self",)


async def test_a_token_cannot_make_a_stronger_one(house: House) -> None:
    (ada,) = await house.add("ada")
    weak = await house.tokens.request(ada, TokenRequest(scopes=("tokens!user",)))
    bearer = await house.tokens.resolve(weak.secret)
    assert bearer is not None
    within = (await house.grants.grant_of(bearer)).scopes
    with pytest.raises(InvalidInput):
        await house.tokens.request(ada, TokenRequest(scopes=("servers!user",)), within=within)
    child = await house.tokens.request(ada, TokenRequest(), within=within)
    held = await house.tokens.resolve(child.secret)
    assert held is not None
    scopes = (await house.grants.grant_of(held)).scopes
    assert scopes == within
    assert not [scope for scope in scopes if scope.startswith("servers")]


async def test_revoked_token_is_dead_at_once(house: House) -> None:
    ada, bob = await house.add("ada", "bob")
    made = await house.tokens.request(ada, TokenRequest())
    public_id = made.detail.token.public_id
    assert await house.tokens.resolve(made.secret) is not None
    with pytest.raises(NotFound):
        await house.tokens.revoke(bob, public_id)
    await house.tokens.revoke(ada, public_id)
    assert await house.tokens.resolve(made.secret) is None
    with pytest.raises(NotFound):
        await house.tokens.revoke(ada, public_id)


@pytest.mark.parametrize(
    "public_id", ["a", "1", "b1", "a-1", "a999999", "a" + "9" * 30, "a１", "nonsense", ""]
)
async def test_id_of_no_token_is_not_found(house: House, public_id: str) -> None:
    (ada,) = await house.add("ada")
    with pytest.raises(NotFound):
        await house.tokens.get(ada, public_id)


async def test_revoking_one_token_of_a_client_revokes_all_of_that_client(house: House) -> None:
    (ada,) = await house.add("ada")
    client = OAuthClient("service-app", "app", "", "/cb", ())
    await house.database.write(lambda c: oauth_store.save_client(c, client))
    first, second = [
        await house.database.write(
            lambda c: house.tokens.create_now(c, ada, ["self"], client_id="service-app")
        )
        for _ in range(2)
    ]
    plain = await house.tokens.request(ada, TokenRequest())
    for made in (first, second, plain):
        assert await house.tokens.resolve(made.secret) is not None
    await house.tokens.revoke(ada, first.detail.token.public_id)
    assert await house.tokens.resolve(second.secret) is None
    assert await house.tokens.resolve(plain.secret) is not None


@pytest.mark.parametrize("rounds", [1, 16384])
async def test_imported_token_works_and_gets_the_plain_hash(house: House, rounds: int) -> None:
    (ada,) = await house.add("ada")
    made = await house.tokens.request(ada, TokenRequest())
    await import_hash(house, made.detail.token.id, made.secret, rounds)
    assert await house.tokens.resolve(made.secret[:4] + "x" * 28) is None
    bearer = await house.tokens.resolve(made.secret)
    assert bearer is not None
    assert bearer.token.id == made.detail.token.id
    stored = await house.database.read(lambda c: c.execute(token_table.select()).mappings().one())
    assert stored["hashed"] == hashlib.sha256(made.secret.encode()).hexdigest()
    assert stored["prefix"] is None


async def test_use_of_a_token_is_activity_of_it_and_its_owner(house: House) -> None:
    (ada,) = await house.add("ada")
    made = await house.tokens.request(ada, TokenRequest())
    bearer = await house.tokens.resolve(made.secret)
    assert bearer is not None
    house.activity.note_bearer(bearer)
    shown = await house.tokens.get(ada, made.detail.token.public_id)
    assert shown.token.last_activity == house.clock.now()
    assert (await house.users.get("ada")).user.last_activity == house.clock.now()


async def test_use_of_a_servers_own_token_is_no_activity_of_its_owner(house: House) -> None:
    (ada,) = await house.add("ada")
    made = await house.database.write(
        lambda c: house.tokens.create_now(c, ada, ["self"], note="Server at /user/ada/")
    )
    bearer = await house.tokens.resolve(made.secret)
    assert bearer is not None
    house.activity.note_bearer(bearer)
    assert (await house.users.get("ada")).user.last_activity is None


async def test_token_from_the_configuration_is_adopted_once_and_never_stolen(house: House) -> None:
    ada, bob = await house.add("ada", "bob")
    secret = "a-token-of-the-config"
    first = await house.database.write(lambda c: house.tokens.adopt_given(c, secret, ada))
    again = await house.database.write(lambda c: house.tokens.adopt_given(c, secret, ada))
    assert first.id == again.id
    assert first.note == "from config"
    with pytest.raises(ConfigError, match="belongs to 'ada' already"):
        await house.database.write(lambda c: house.tokens.adopt_given(c, secret, bob))
    for bad in ("short", "x" * 65):
        with pytest.raises(ConfigError, match="8 to 64"):
            await house.database.write(lambda c, bad=bad: house.tokens.adopt_given(c, bad, ada))  # type: ignore[misc]


async def test_service_tokens_belong_to_the_service(house: House) -> None:
    service = await house.add_service("svc")
    made = await house.database.write(lambda c: house.tokens.create_now(c, service, ["inherit"]))
    bearer = await house.tokens.resolve(made.secret)
    assert bearer is not None
    assert (bearer.owner, bearer.token.client_id) == (service, HUB_CLIENT)
    assert (await house.grants.grant_of(bearer)).scopes == frozenset()
