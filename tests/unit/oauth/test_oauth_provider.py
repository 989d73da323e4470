"""The authorization endpoint: who is let in, who is asked, what comes out, what is refused."""

import hashlib
import logging

import pytest
from oauth_house import CALLBACK, OAuthHouse, code_for, exchange, query, scopes_for, sent

from perijove.domain.errors import ConfigError, Forbidden, InvalidInput
from perijove.oauth.consent import Consent
from perijove.oauth.provider import denied
from perijove.people.shares import Receiver
from perijove.store import oauth as oauth_store
from perijove.store import servers as server_store


# -- who is let in, and asked -------------------------------------------------------
async def test_round_gives_a_token_of_the_person_bound_to_the_session(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    code = await code_for(house, anna)
    assert len(code) == 30
    status, body = await exchange(house, code)
    assert status == 200
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 7200)
    assert set(body["scope"].split()) == {
        "access:services!service=trusted",
        "read:users:name!user",
        "read:users:groups!user",
    }
    assert "refresh_token" not in body
    bearer = await house.tokens.resolve(body["access_token"])
    assert bearer is not None
    assert (bearer.owner, bearer.token.session_id) == (anna.user, anna.session_id)
    assert bearer.token.client_id == "service-trusted"
    assert bearer.token.expires_at is not None
    (listed,) = await house.tokens.list_of(anna.user)
    assert listed.client == "Service trusted"


async def test_server_has_a_path_for_its_redirect_and_does_not_ask_its_owner(
    house: OAuthHouse,
) -> None:
    owner = await house.visitor("owner")
    consent = await house.provider.authorize_request(query("owner"), owner)
    assert isinstance(consent, Consent)
    assert not consent.needs_confirmation
    redirect = await house.provider.create_code(query("owner"), owner)
    assert redirect.location.startswith("/user/owner/oauth_callback?code=")
    assert sent(redirect)["state"] == "st-owner"
    status, body = await exchange(house, sent(redirect)["code"], "owner")
    assert status == 200
    bearer = await house.tokens.resolve(body["access_token"])
    assert bearer is not None
    assert (await house.grants.grant_of(bearer)).scopes == {
        "access:servers!server=owner/",
        "read:users:name!user=owner",
        "read:users:groups!user=owner",
    }


async def test_stranger_is_refused_and_an_admin_is_asked(house: OAuthHouse) -> None:
    with pytest.raises(Forbidden, match="permission to access"):
        await house.provider.authorize_request(query("owner"), await house.visitor("stranger"))
    consent = await house.provider.authorize_request(query("owner"), await house.visitor("admin"))
    assert isinstance(consent, Consent)
    assert consent.needs_confirmation
    assert any("servers" in text.description for text in consent.texts)


async def test_share_opens_the_door_and_revoking_it_shuts_it_before_the_code(
    house: OAuthHouse,
) -> None:
    server = await house.database.read(lambda c: server_store.find(c, "owner", ""))
    assert server is not None
    admin = await house.grants.grant_of(await house.user("admin"))
    await house.shares.grant(server, Receiver(user="anna"), None, admin)
    anna = await house.visitor("anna")
    consent = await house.provider.authorize_request(query("owner"), anna)
    assert isinstance(consent, Consent)
    assert consent.needs_confirmation
    await house.shares.revoke(server, Receiver(user="anna"))
    with pytest.raises(Forbidden):
        await house.provider.create_code(query("owner"), anna, consent.scopes)


async def test_needed_question_cannot_be_left_out(house: OAuthHouse) -> None:
    with pytest.raises(InvalidInput, match="consent"):
        await house.provider.create_code(query("app"), await house.visitor("anna"))


async def test_trusted_client_does_not_ask_and_access_is_still_needed(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    assert "code" in sent(await house.provider.create_code(query("trusted"), anna))
    with pytest.raises(Forbidden):
        await house.provider.create_code(query("private"), anna)
    admin = await house.visitor("admin")
    assert "code" in sent(await house.provider.create_code(query("private"), admin))


async def test_second_visit_asks_only_for_more_than_was_given(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    await exchange(house, await code_for(house, anna, "app"), "app")
    consent = await house.provider.authorize_request(query("app"), anna)
    assert isinstance(consent, Consent)
    assert not consent.needs_confirmation
    await house.clients.register(
        "service-app",
        secret="app-secret-0123456789",
        redirect_uri=f"{CALLBACK}/app",
        description="Service app",
        allowed_scopes=("servers!user",),
    )
    consent = await house.provider.authorize_request(query("app"), anna)
    assert isinstance(consent, Consent)
    assert consent.needs_confirmation
    bearer_free = await house.visitor("stranger")
    other = await house.provider.authorize_request(query("app"), bearer_free)
    assert isinstance(other, Consent)
    assert other.needs_confirmation


async def test_expired_token_is_no_consent(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    await exchange(house, await code_for(house, anna, "app"), "app")
    await house.clock.advance(7200)
    consent = await house.provider.authorize_request(query("app"), anna)
    assert isinstance(consent, Consent)
    assert consent.needs_confirmation


async def test_inherit_is_asked_for_unless_it_was_given(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    consent = await house.provider.authorize_request(query("inheriting"), anna)
    assert isinstance(consent, Consent)
    assert consent.needs_confirmation
    narrowed = sent(await house.provider.create_code(query("inheriting"), anna, ["identify"]))
    await exchange(house, narrowed["code"], "inheriting")
    again = await house.provider.authorize_request(query("inheriting"), anna)
    assert isinstance(again, Consent)
    assert again.needs_confirmation
    await exchange(house, await code_for(house, anna, "inheriting"), "inheriting")
    third = await house.provider.authorize_request(query("inheriting"), anna)
    assert isinstance(third, Consent)
    assert not third.needs_confirmation


# -- scopes -----------------------------------------------------------------------
async def test_minimal_token_tells_the_name_and_opens_the_client(house: OAuthHouse) -> None:
    scopes = await scopes_for(house, await house.visitor("anna"), "trusted")
    assert scopes == {
        "access:services!service=trusted",
        "read:users:name!user=anna",
        "read:users:groups!user=anna",
    }


async def test_client_gets_of_its_scopes_what_the_person_holds(house: OAuthHouse) -> None:
    anna = await scopes_for(house, await house.visitor("anna"), "scoped")
    assert {"read:users!user=anna", "servers!user=anna"} <= anna
    assert not {"list:users", "custom:x:read"} & anna
    xenia = await scopes_for(house, await house.visitor("xenia"), "scoped")
    assert "custom:x:read" in xenia
    assert "custom:x:write" not in xenia
    admin = await scopes_for(house, await house.visitor("admin"), "scoped")
    assert "list:users" in admin
    assert "admin:users" not in admin


async def test_client_may_ask_for_less(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    scopes = await scopes_for(house, anna, "scoped", scope="read:users!user")
    assert "read:users!user=anna" in scopes
    assert "servers!user=anna" not in scopes


@pytest.mark.parametrize("scope", ["admin:users", "nonsense", "self", "inherit", "servers"])
async def test_client_asking_for_more_is_told_so_at_its_redirect_uri(
    house: OAuthHouse, scope: str
) -> None:
    redirect = await house.provider.authorize_request(
        query("scoped", scope=scope), await house.visitor("admin")
    )
    assert sent(redirect)["error"] == "invalid_scope"
    assert sent(redirect)["state"] == "st-scoped"


async def test_inheriting_client_gets_what_the_person_has(house: OAuthHouse) -> None:
    scopes = await scopes_for(house, await house.visitor("anna"), "inheriting")
    assert {"servers!user=anna", "tokens!user=anna"} <= scopes


async def test_person_may_agree_to_less_and_a_forged_form_gets_no_more(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    consent = await house.provider.authorize_request(query("scoped"), anna)
    assert isinstance(consent, Consent)
    assert "servers!user" in consent.scopes
    less = sent(await house.provider.create_code(query("scoped"), anna, ["read:users!user"]))
    _, body = await exchange(house, less["code"], "scoped")
    assert "servers!user" not in body["scope"]
    assert "read:users!user" in body["scope"]
    for forged in ("tokens!user", "admin:users", "inherit", "list:users"):
        redirect = await house.provider.create_code(query("scoped"), anna, [forged])
        assert sent(redirect)["error"] == "invalid_scope"


# -- bad requests -------------------------------------------------------------------
@pytest.mark.parametrize(
    "extra",
    [
        {"client_id": "service-absent"},
        {"client_id": None},
        {"client_id": "jupyterhub"},
        {"client_id": "nul\0"},
        {"redirect_uri": "https://evil.example.org/cb"},
        {"redirect_uri": CALLBACK + "/trusted/more"},
        {"redirect_uri": CALLBACK + "/Trusted"},
        {"redirect_uri": CALLBACK + "/app"},
        {"redirect_uri": CALLBACK + "/trusted?x=1"},
        {"redirect_uri": CALLBACK.replace(":1", ":2") + "/trusted"},
        {"state": "x" * 20000},
    ],
)
async def test_client_that_cannot_be_trusted_gets_nobody_sent(
    house: OAuthHouse, extra: dict[str, str | None]
) -> None:
    anna = await house.visitor("anna")
    for act in (house.provider.authorize_request, house.provider.create_code):
        with pytest.raises(InvalidInput):
            await act(query("trusted", **extra), anna)


async def test_parameter_given_twice_is_refused(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    for twice in ("client_id=service-app", f"redirect_uri={CALLBACK}/app", "state=other"):
        with pytest.raises(InvalidInput):
            await house.provider.authorize_request(f"{query()}&{twice}", anna)


async def test_parameter_without_value_counts_as_left_out(house: OAuthHouse) -> None:
    bare = query(redirect_uri=None, state=None) + "&redirect_uri=&state=&scope=&code_challenge="
    redirect = await house.provider.create_code(bare, await house.visitor("anna"))
    assert redirect.location.startswith(f"{CALLBACK}/trusted?code=")
    assert sent(redirect).keys() == {"code"}


async def test_unknown_parameters_are_ignored(house: OAuthHouse) -> None:
    odd = query() + "&resource=a&resource=b&access_type=offline"
    assert "code" in sent(await house.provider.create_code(odd, await house.visitor("anna")))


async def test_person_who_does_not_agree_is_sent_back_with_access_denied(
    house: OAuthHouse,
) -> None:
    consent = await house.provider.authorize_request(query("app"), await house.visitor("anna"))
    assert isinstance(consent, Consent)
    back = denied(query("app"), consent)
    assert back.location.startswith(f"{CALLBACK}/app?")
    assert sent(back) == {"error": "access_denied", "state": "st-app"}
    assert sent(denied(query("app", state=None), consent)) == {"error": "access_denied"}


async def test_client_whose_server_or_service_is_gone_is_unknown(house: OAuthHouse) -> None:
    await house.clients.register(
        "service-stray", secret="s" * 20, redirect_uri="/cb", description="stray"
    )
    with pytest.raises(InvalidInput):
        await house.provider.authorize_request(
            query("stray", redirect_uri="/cb"), await house.visitor("anna")
        )
    assert await house.clients.remove_strays() == 1
    assert await house.clients.find("service-stray") is None
    assert await house.clients.find("service-app") is not None


@pytest.mark.parametrize("response_type", ["token", "bogus", "none", "code token", None])
async def test_only_codes_are_given(house: OAuthHouse, response_type: str | None) -> None:
    redirect = await house.provider.authorize_request(
        query(response_type=response_type), await house.visitor("anna")
    )
    known = "unsupported_response_type" if response_type else "invalid_request"
    assert sent(redirect)["error"] == known
    assert sent(redirect)["state"] == "st-trusted"
    assert "code" not in sent(redirect)


@pytest.mark.parametrize("state", ["a b&c=d/ü", "%zz", "=&?#", "<script>"])
async def test_state_comes_back_as_it_was(house: OAuthHouse, state: str) -> None:
    redirect = await house.provider.create_code(query(state=state), await house.visitor("anna"))
    assert sent(redirect)["state"] == state
    bare = await house.provider.create_code(query(state=None), await house.visitor("anna"))
    assert "state" not in sent(bare)


# -- clients, secrets -----------------------------------------------------------------
async def test_imported_secret_of_a_client_is_accepted_and_replaced(house: OAuthHouse) -> None:
    secret = "trusted-secret-0123456789"
    digest = hashlib.sha512(b"0011223344556677" + secret.encode()).hexdigest()
    await house.database.write(
        lambda c: oauth_store.set_secret_hash(
            c, "service-trusted", f"sha512:1:0011223344556677:{digest}"
        )
    )
    anna = await house.visitor("anna")
    code = await code_for(house, anna)
    assert (await exchange(house, code, client_secret="wrong"))[0] == 401
    assert (await exchange(house, code))[0] == 200
    client = await house.clients.find("service-trusted")
    assert client is not None
    assert client.secret_hash == hashlib.sha256(secret.encode()).hexdigest()


async def test_removed_client_takes_its_tokens_along_at_once(house: OAuthHouse) -> None:
    anna = await house.visitor("anna")
    _, body = await exchange(house, await code_for(house, anna))
    assert await house.tokens.resolve(body["access_token"]) is not None
    await house.clients.remove(["service-trusted", "absent"])
    assert await house.tokens.resolve(body["access_token"]) is None
    with pytest.raises(InvalidInput):
        await house.provider.authorize_request(query(), anna)


async def test_the_hubs_own_client_cannot_be_registered(house: OAuthHouse) -> None:
    with pytest.raises(ConfigError):
        await house.clients.register(
            "jupyterhub", secret="s" * 20, redirect_uri="/cb", description=""
        )


async def test_nothing_secret_is_logged_or_stored_as_it_is(
    house: OAuthHouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    anna = await house.visitor("anna")
    code = await code_for(house, anna, state="a-very-secret-state")
    assert house.database.path is not None
    stored = _bytes_of(house.database.path)
    _, body = await exchange(house, code)
    await exchange(house, code)
    await house.provider.authorize_request(query(state="a-very-secret-state", scope="nope"), anna)
    for secret in (code, body["access_token"], "trusted-secret-0123456789", "a-very-secret-state"):
        assert secret not in caplog.text
    assert code.encode() not in stored
    assert body["access_token"].encode() not in _bytes_of(house.database.path)


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file, open(path + "-wal", "rb") as log:
        return file.read() + log.read()
