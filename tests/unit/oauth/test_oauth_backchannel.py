"""What clients ask without a browser: codes exchanged, tokens looked at and ended."""

import asyncio
import base64
import math
import secrets

import pytest
from oauth_house import (
    CALLBACK,
    OAuthHouse,
    challenge,
    code_for,
    exchange,
    form,
    query,
    read,
    sent,
    token_of,
)

from perijove.access.catalogue import CATALOGUE
from perijove.oauth.metadata import describe, issuer_path
from perijove.oauth.validator import CODE_LIFE_S
from perijove.people.purge import purge_expired
from perijove.people.tokens import TokenRequest
from perijove.store import oauth as oauth_store


def asked(token: str | None, name: str = "trusted", **extra: str | None) -> str:
    """The form with which this service asks about a token."""
    values = {"client_id": f"service-{name}", "client_secret": f"{name}-secret-0123456789"}
    return form(**{**values, "token": token, **extra})


# -- codes ----------------------------------------------------------------------------
async def test_code_that_comes_back_is_refused_and_ends_the_token(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    status, body = await exchange(house, code)
    assert status == 200
    assert await house.tokens.resolve(body["access_token"]) is not None
    assert await exchange(house, code) == (400, {"error": "invalid_grant"})
    assert await house.tokens.resolve(body["access_token"]) is None
    assert await house.tokens.list_of(await house.user("anna")) == []
    assert await exchange(house, code) == (400, {"error": "invalid_grant"})


async def test_code_that_comes_back_late_ends_the_token_as_well(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    _, body = await exchange(house, code)
    await house.clock.advance(CODE_LIFE_S * 3)
    await purge_expired(house.database, house.clock)
    assert await house.tokens.resolve(body["access_token"]) is not None
    assert (await exchange(house, code))[1]["error"] == "invalid_grant"
    assert await house.tokens.resolve(body["access_token"]) is None


async def test_others_cannot_end_a_token_with_its_code(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    _, body = await exchange(house, code)
    assert (await exchange(house, code, client_secret="wrong"))[0] == 401
    assert (await exchange(house, code, "scoped"))[1]["error"] == "invalid_grant"
    assert await house.tokens.resolve(body["access_token"]) is not None


async def test_of_two_exchanges_at_once_one_wins_at_most(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    answers = await asyncio.gather(*(exchange(house, code) for _ in range(4)))
    assert sorted(status for status, _ in answers) == [200, 400, 400, 400]
    assert {body.get("error") for status, body in answers if status == 400} == {"invalid_grant"}
    assert await house.tokens.list_of(await house.user("anna")) == []


async def test_rival_who_used_the_code_first_undoes_the_token(
    house: OAuthHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await code_for(house, await house.visitor("anna"))
    monkeypatch.setattr(oauth_store, "use_code", lambda *_: False)
    assert await exchange(house, code) == (400, {"error": "invalid_grant"})
    assert await house.tokens.list_of(await house.user("anna")) == []


async def test_two_rounds_at_once_both_end_well(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    codes = await asyncio.gather(*(code_for(house, anna, state=f"tab{n}") for n in range(2)))
    answers = [await exchange(house, code) for code in codes]
    assert [status for status, _ in answers] == [200, 200]
    for _, body in answers:
        assert await house.tokens.resolve(body["access_token"]) is not None


async def test_late_code_is_refused(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    await house.clock.advance(300)
    status, body = await exchange(house, code)
    assert (status, body["error"]) == (400, "invalid_grant")


async def test_code_dies_with_the_sign_in(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    code = await code_for(house, anna)
    await house.sessions.close(anna)
    assert (await exchange(house, code))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("extra", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_secret": "x" * 65}, 401, "invalid_client"),
        ({"client_id": "service-absent"}, 401, "invalid_client"),
        ({"client_id": "jupyterhub", "client_secret": "x"}, 401, "invalid_client"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"redirect_uri": CALLBACK + "/other"}, 400, "invalid_grant"),
        (
            {"grant_type": "password", "username": "a", "password": "b"},
            400,
            "unsupported_grant_type",
        ),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type"),
        ({"grant_type": "openid"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"code": "made-up"}, 400, "invalid_grant"),
        ({"code": "nul\0"}, 400, "invalid_request"),
        ({"code": None}, 400, "invalid_request"),
    ],
)
async def test_exchange_that_is_not_right_gives_no_token(
    house: OAuthHouse, extra: dict[str, str | None], status: int, error: str
) -> None:
    code = await code_for(house, await house.visitor("anna"))
    found, body = await exchange(house, **{"code": code, **extra})  # type: ignore[arg-type]
    assert (found, body["error"]) == (status, error)
    assert await house.tokens.list_of(await house.user("anna")) == []
    assert (await exchange(house, code))[0] == 200


async def test_code_of_another_client_is_refused_and_not_burnt(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    status, body = await exchange(house, code, "scoped")
    assert (status, body["error"]) == (400, "invalid_grant")
    assert (await exchange(house, code))[0] == 200


async def test_client_may_sign_in_with_a_basic_header(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    credentials = base64.b64encode(b"service-trusted:trusted-secret-0123456789").decode()
    body = f"grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}/trusted"
    wrong = await house.backchannel.exchange(body, "Basic !!!")
    assert wrong.status == 401
    answer = await house.backchannel.exchange(body, f"Basic {credentials}")
    assert answer.status == 200


async def test_own_token_in_the_header_is_no_obstacle(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    body = (
        "client_id=service-trusted&client_secret=trusted-secret-0123456789&"
        f"grant_type=authorization_code&code={code}"
    )
    answer = await house.backchannel.exchange(body, "token trusted-secret")
    assert answer.status == 200


@pytest.mark.parametrize("body", ["", "&&&", "%zz", "a=b&" * 60, "x" * 20000, "code=%00"])
async def test_form_that_is_none_is_a_bad_request(house: OAuthHouse, body: str) -> None:
    assert (await house.backchannel.exchange(body)).status == 400


# -- PKCE -------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["S256", "plain", None])
async def test_challenge_must_be_answered_rightly(house: OAuthHouse, method: str | None) -> None:
    verifier = secrets.token_urlsafe(48)
    asked = challenge(verifier) if method == "S256" else verifier
    extra = {"code_challenge": asked} | ({"code_challenge_method": method} if method else {})
    anna = await house.visitor("anna")
    for answer, status, error in (
        (None, 400, "invalid_request"),
        (secrets.token_urlsafe(48), 400, "invalid_grant"),
        (verifier, 200, None),
    ):
        code = await code_for(house, anna, **extra)
        found, body = await exchange(house, code, code_verifier=answer)
        assert (found, body.get("error")) == (status, error)


async def test_pkce_can_be_required(house: OAuthHouse) -> None:
    house.set_up(require_pkce=True)
    anna = await house.visitor("anna")
    verifier = secrets.token_urlsafe(48)
    for plain in ({}, {"code_challenge": verifier, "code_challenge_method": "plain"}):
        refused = await house.provider.authorize_request(query(**plain), anna)
        assert sent(refused)["error"] == "invalid_request"
    code = await code_for(
        house, anna, code_challenge=challenge(verifier), code_challenge_method="S256"
    )
    assert (await exchange(house, code, code_verifier=verifier))[0] == 200


@pytest.mark.parametrize(
    "extra",
    [
        {"code_challenge": "short"},
        {"code_challenge": "x" * 129},
        {"code_challenge": "x" * 42 + "!"},
        {"code_challenge": "x" * 43, "code_challenge_method": "S512"},
    ],
)
async def test_challenge_that_is_none_is_refused(house: OAuthHouse, extra: dict[str, str]) -> None:
    redirect = await house.provider.authorize_request(query(**extra), await house.visitor("anna"))
    assert sent(redirect)["error"] == "invalid_request"


async def test_verifier_without_a_challenge_is_refused(house: OAuthHouse) -> None:
    code = await code_for(house, await house.visitor("anna"))
    status, body = await exchange(house, code, code_verifier=secrets.token_urlsafe(48))
    assert (status, body["error"]) == (400, "invalid_grant")


async def test_codes_and_tokens_cannot_be_guessed(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    codes = {await code_for(house, anna) for _ in range(20)}
    tokens = {(await exchange(house, code))[1]["access_token"] for code in codes}
    for found in (codes, tokens):
        assert len(found) == 20
        letters = set("".join(found))
        assert len(letters) > 50
        # RFC 6749, section 10.10, asks for 160 bits.
        assert all(len(one) * math.log2(62) >= 160 for one in found)


# -- introspection (RFC 7662) ---------------------------------------------------------
async def test_client_learns_what_its_token_is(house: OAuthHouse) -> None:
    token = await token_of(house, await house.visitor("anna"))
    status, found = read(await house.backchannel.introspect(asked(token)))
    assert status == 200
    assert found["active"] is True
    assert (found["username"], found["sub"]) == ("anna", "anna")
    assert found["client_id"] == "service-trusted"
    assert "access:services!service=trusted" in found["scope"].split()
    assert found["exp"] - found["iat"] == 7200


async def test_service_learns_of_a_token_that_opens_it(house: OAuthHouse) -> None:
    anna = await house.user("anna")
    made = await house.tokens.request(anna, TokenRequest(scopes=("read:users:name!user",)))
    opening = await house.tokens.request(
        anna, TokenRequest(scopes=("access:services!service=app",))
    )
    for secret, active in ((opening.secret, True), (made.secret, False)):
        _, found = read(await house.backchannel.introspect(asked(secret, "app")))
        assert found["active"] is active
    assert found == {"active": False}


async def test_token_of_another_client_looks_like_one_that_does_not_exist(
    house: OAuthHouse,
) -> None:
    token = await token_of(house, await house.visitor("anna"), "scoped")
    for unknown in (token, "made-up", "x" * 500, "ü"):
        _, found = read(await house.backchannel.introspect(asked(unknown, "private")))
        assert found == {"active": False}


async def test_ended_token_is_inactive_at_once(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    kept, late = await token_of(house, anna), await token_of(house, anna)
    for token in (kept, late):
        assert read(await house.backchannel.introspect(asked(token)))[1]["active"] is True
    assert read(await house.backchannel.revoke(asked(kept)))[0] == 200
    assert read(await house.backchannel.introspect(asked(kept)))[1] == {"active": False}
    await house.clock.advance(7200)
    assert read(await house.backchannel.introspect(asked(late)))[1] == {"active": False}


# -- revocation (RFC 7009) ------------------------------------------------------------
async def test_client_ends_the_token_and_no_other(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    first, second = await token_of(house, anna), await token_of(house, anna)
    hint = {"token_type_hint": "refresh_token"}
    assert read(await house.backchannel.revoke(asked(first, **hint)))[0] == 200
    assert await house.tokens.resolve(first) is None
    assert await house.tokens.resolve(second) is not None
    assert read(await house.backchannel.revoke(asked(first)))[0] == 200


async def test_client_cannot_end_a_token_of_another(house: OAuthHouse) -> None:
    token = await token_of(house, await house.visitor("anna"))
    status, body = read(await house.backchannel.revoke(asked(token, "app")))
    assert (status, body["error"]) == (400, "unauthorized_client")
    own = await house.tokens.request(await house.user("anna"), TokenRequest())
    assert read(await house.backchannel.revoke(asked(own.secret)))[0] == 400
    assert await house.tokens.resolve(token) is not None
    assert await house.tokens.resolve(own.secret) is not None


@pytest.mark.parametrize("endpoint", ["introspect", "revoke"])
async def test_only_clients_may_ask_about_tokens(house: OAuthHouse, endpoint: str) -> None:
    token = await token_of(house, await house.visitor("anna"))
    ask = getattr(house.backchannel, endpoint)
    for extra, status, error in (
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_id": "service-absent"}, 401, "invalid_client"),
        ({"client_id": "jupyterhub"}, 401, "invalid_client"),
        ({"token": None}, 400, "invalid_request"),
        ({"token": ""}, 400, "invalid_request"),
    ):
        found, body = read(await ask(asked(**{"token": token, **extra})))
        assert (found, body["error"]) == (status, error)
    assert read(await ask(f"{asked(token)}&token=other"))[0] == 400
    assert await house.tokens.resolve(token) is not None
    basic = base64.b64encode(b"service-trusted:trusted-secret-0123456789").decode()
    assert read(await ask(form(token=token), f"Basic {basic}"))[0] == 200


# -- metadata (RFC 8414) ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        ("/.well-known/oauth-authorization-server", ""),
        ("/.well-known/oauth-authorization-server/hub", "/hub"),
        ("/.well-known/oauth-authorization-server/base/hub/", "/base/hub"),
        ("/hub/.well-known/oauth-authorization-server", "/hub"),
        ("/hub/api/.well-known/oauth-authorization-server", "/hub/api"),
        ("/hub/.well-known/oauth-authorization-server/x", None),
        ("/.well-known/oauth-authorization-serverx", None),
        ("/hub/home", None),
    ],
)
def test_issuer_is_read_from_either_form_of_the_path(path: str, issuer: str | None) -> None:
    assert issuer_path(path) == issuer


def test_metadata_names_every_endpoint_below_the_api() -> None:
    found = describe("https://h/hub", "https://h/hub/api", CATALOGUE.scopes)
    assert found["issuer"] == "https://h/hub"
    endpoints = {name: url for name, url in found.items() if name.endswith("_endpoint")}
    assert endpoints == {
        f"{kind}_endpoint": f"https://h/hub/api/oauth2/{word}"
        for kind, word in (
            ("authorization", "authorize"),
            ("token", "token"),
            ("introspection", "introspect"),
            ("revocation", "revoke"),
        )
    }
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert "read:users" in found["scopes_supported"]
