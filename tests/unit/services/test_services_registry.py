"""Services of the configuration: their rows, tokens and OAuth clients."""

import os

import pytest
from services_house import ServicesHouse
from sqlalchemy import Connection

from perijove.domain.errors import ConfigError
from perijove.domain.settings import ServiceSpec
from perijove.domain.users import Service
from perijove.kit.crypto import hash_token
from perijove.routes.addresses import Addresses
from perijove.services.registry import Registry
from perijove.store import oauth as oauth_rows
from perijove.store import roles as role_rows
from perijove.store import services as service_rows

TOKEN = "a-token-of-the-operator"


async def test_the_database_follows_the_configuration(services: ServicesHouse) -> None:
    await services.load(ServiceSpec("one", admin=True), ServiceSpec("two", info={"a": 1}))
    first = await services.registry.find("one")
    await services.load(ServiceSpec("one"), ServiceSpec("three"))
    found = {service.name: service for service in await services.registry.all()}
    assert set(found) == {"one", "three"}
    assert first is not None
    assert found["one"].id == first.id
    assert (first.admin, found["one"].admin) == (True, False)
    assert await services.registry.find("two") is None
    assert await services.registry.find("nul\0") is None


async def test_services_made_at_run_time_stay(services: ServicesHouse) -> None:
    await services.registry.add(ServiceSpec("made", url="http://127.0.0.1:1"))
    await services.load(ServiceSpec("one"))
    assert {service.name for service in await services.registry.all()} == {"made", "one"}


async def test_a_service_made_at_run_time_gives_way_to_the_configuration(
    services: ServicesHouse, caplog: pytest.LogCaptureFixture
) -> None:
    await services.load()
    await services.registry.add(
        ServiceSpec("made", url="http://127.0.0.1:1", api_token="token-made-at-run-time")
    )
    await services.load(ServiceSpec("made", api_token=TOKEN, url="http://127.0.0.1:2"))
    found = await services.registry.find("made")
    assert found is not None
    assert (found.url, found.from_config) == ("http://127.0.0.1:2", True)
    assert "gives way" in caplog.text
    assert await services.tokens.resolve(TOKEN) is not None
    assert await services.tokens.resolve("token-made-at-run-time") is None


async def test_a_given_token_is_the_services_own_and_survives_restarts(
    services: ServicesHouse,
) -> None:
    spec = ServiceSpec("one", api_token=TOKEN)
    await services.load(spec)
    bearer = await services.tokens.resolve(TOKEN)
    assert bearer is not None
    assert isinstance(bearer.owner, Service)
    assert bearer.owner.name == "one"
    await services.load(spec)
    again = await services.tokens.resolve(TOKEN)
    assert again is not None
    assert again.token.id == bearer.token.id


async def test_a_managed_service_without_token_gets_one(services: ServicesHouse) -> None:
    spec = ServiceSpec("one", command=("true",), url="http://127.0.0.1:1")
    await services.load(spec)
    taken = await services.tenure.take(spec)
    assert taken is not None
    bearer = await services.tokens.resolve(taken.secret)
    assert bearer is not None
    assert bearer.token.note == "generated at startup"
    assert len(taken.secret) >= 32
    client = await services.database.read(lambda c: oauth_rows.find_client(c, "service-one"))
    assert client is not None
    assert client.secret_hash == hash_token(taken.secret)


async def test_tokens_of_earlier_processes_end_and_those_of_the_operator_stay(
    services: ServicesHouse,
) -> None:
    generated = ServiceSpec("one", command=("true",))
    given = ServiceSpec("two", command=("true",), api_token=TOKEN)
    await services.load(generated, given)
    first = await services.tenure.take(generated)
    second = await services.tenure.take(generated)
    assert first is not None
    assert second is not None
    assert await services.tokens.resolve(first.secret) is None
    assert await services.tokens.resolve(second.secret) is not None
    for _ in range(2):
        taken = await services.tenure.take(given)
        assert taken is not None
        assert taken.secret == TOKEN
    assert await services.tokens.resolve(TOKEN) is not None
    assert TOKEN not in repr(taken)


async def test_loading_again_does_not_disturb_a_service_that_runs(services: ServicesHouse) -> None:
    spec = ServiceSpec("one", command=("true",), url="http://127.0.0.1:1")
    await services.load(spec)
    taken = await services.tenure.take(spec)
    assert taken is not None
    await services.tenure.note_process("one", os.getpid())
    await services.load(spec)
    assert await services.pid("one") == os.getpid()
    assert await services.tokens.resolve(taken.secret) is not None
    client = await services.database.read(lambda c: oauth_rows.find_client(c, "service-one"))
    assert client is not None
    assert client.secret_hash == hash_token(taken.secret)


async def test_a_token_for_a_service_that_is_not_defined_makes_it(
    services: ServicesHouse, caplog: pytest.LogCaptureFixture
) -> None:
    await services.registry.load([], ["only-a-token"])
    found = await services.registry.find("only-a-token")
    assert found is not None
    assert (found.from_config, found.url) == (True, "")
    assert "'only-a-token', which is not defined" in caplog.text
    await services.registry.load([])
    assert await services.registry.find("only-a-token") is None


async def test_old_roles_of_a_client_are_its_scopes(
    services: ServicesHouse, caplog: pytest.LogCaptureFixture
) -> None:
    def roles(connection: Connection) -> None:
        role_rows.save(connection, "reader", "", ("read:users!user", "list:groups"))

    await services.database.write(roles)
    address = {"url": "http://127.0.0.1:1", "api_token": TOKEN}
    await services.load(ServiceSpec("one", oauth_roles=("reader",), **address))
    client = await services.database.read(lambda c: oauth_rows.find_client(c, "service-one"))
    assert client is not None
    own = "access:services!service=one"
    assert client.allowed_scopes == ("read:users!user", "list:groups", own)
    both = ServiceSpec(
        "one", oauth_roles=("reader",), oauth_client_allowed_scopes=("proxy",), **address
    )
    await services.load(both)
    client = await services.database.read(lambda c: oauth_rows.find_client(c, "service-one"))
    assert client is not None
    assert client.allowed_scopes == ("proxy", own)
    assert "its oauth_roles do not count" in caplog.text
    with pytest.raises(ConfigError, match=r"oauth_roles of 'one': there is no role 'raeder'"):
        await services.load(ServiceSpec("one", oauth_roles=("raeder",), **address))


async def test_a_token_cannot_belong_to_two(services: ServicesHouse) -> None:
    with pytest.raises(ConfigError, match="belongs to 'one'"):
        await services.load(
            ServiceSpec("one", api_token=TOKEN), ServiceSpec("two", api_token=TOKEN)
        )


async def test_a_service_with_a_url_is_an_oauth_client(services: ServicesHouse) -> None:
    await services.load(
        ServiceSpec(
            "one",
            url="http://127.0.0.1:1",
            api_token=TOKEN,
            oauth_client_allowed_scopes=("read:users",),
        )
    )
    client = await services.database.read(lambda c: oauth_rows.find_client(c, "service-one"))
    assert client is not None
    assert client.redirect_uri == "/services/one/oauth_callback"
    assert client.secret_hash == hash_token(TOKEN)
    assert client.allowed_scopes == ("read:users", "access:services!service=one")


async def test_an_oauth_service_without_url_must_say_where_people_return(
    services: ServicesHouse,
) -> None:
    with pytest.raises(ConfigError, match=r"'one'.*oauth_redirect_uri"):
        await services.load(ServiceSpec("one", oauth_no_confirm=True))
    await services.load(ServiceSpec("one", oauth_no_confirm=True, oauth_redirect_uri="/x"))


@pytest.mark.parametrize(
    ("public", "redirect", "warned"),
    [
        ("https://hub.example/", "http://app.example/cb", True),
        ("https://hub.example/", "https://app.example/cb", False),
        ("https://hub.example/", "http://127.0.0.1:9/cb", False),
        ("https://hub.example/", "/services/one/cb", False),
        ("", "http://app.example/cb", False),
    ],
)
async def test_a_client_on_an_unencrypted_address_is_warned_about(
    services: ServicesHouse,
    caplog: pytest.LogCaptureFixture,
    public: str,
    redirect: str,
    warned: bool,
) -> None:
    addresses = Addresses("/", public_url=public)
    registry = Registry(services.database, services.tokens, addresses, "r1")
    spec = ServiceSpec("one", oauth_no_confirm=True, oauth_redirect_uri=redirect)
    await registry.load([spec])
    await registry.issue_credentials([spec])
    assert ("unencrypted connection" in caplog.text) is warned


async def test_a_client_without_secret_cannot_be_guessed(services: ServicesHouse) -> None:
    await services.load(ServiceSpec("one", url="http://127.0.0.1:1"))
    client = await services.database.read(lambda c: oauth_rows.find_client(c, "service-one"))
    assert client is not None
    assert client.secret_hash == ""


async def test_a_removed_service_takes_its_tokens_along(services: ServicesHouse) -> None:
    await services.load(ServiceSpec("one", api_token=TOKEN))
    await services.load()
    assert await services.tokens.resolve(TOKEN) is None


async def test_the_process_of_a_service_is_remembered(services: ServicesHouse) -> None:
    await services.load(ServiceSpec("one", command=("true",)))
    await services.tenure.note_process("one", 17)
    assert await services.pid("one") is None, "nobody has taken it"
    spec = ServiceSpec("one", command=("true",))
    await services.tenure.take(spec)
    await services.tenure.note_process("one", 17)
    assert await services.pid("one") == 17
    await services.tenure.note_process("one", None)
    assert await services.pid("one") is None
    await services.tenure.note_process("unknown", 1)
    assert await services.database.read(lambda c: service_rows.find(c, "unknown")) is None
