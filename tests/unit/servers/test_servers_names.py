"""Named servers from before the present rule for names."""

import pytest
from servers_house import House, Replica

from perijove.domain.errors import InvalidInput
from perijove.domain.servers import State
from perijove.domain.settings import ServerSettings
from perijove.servers.names import is_valid, settle_invalid_names, valid_name_for
from perijove.store import servers as server_rows


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("My Lab", "my-lab"),
        ("a--b", "a-b"),
        ("2nd", "x-2nd"),
        ("über", "ber"),
        ("😀", "x"),
        ("x" * 40, "x" * 30),
        ("-a-", "a"),
    ],
)
def test_a_new_name_resembles_the_old_one_and_is_valid(old: str, new: str) -> None:
    assert valid_name_for(old, set()) == new
    assert is_valid(new)
    other = valid_name_for(old, {new})
    assert other != new
    assert is_valid(other)


async def add(hub: Replica, name: str, **values: object) -> int:
    user = await hub.user("ada")

    def make(connection: object) -> int:
        server_id = server_rows.create(connection, user.id, name)  # type: ignore[arg-type]
        if values:
            server_rows.edit(connection, server_id, **values)  # type: ignore[arg-type]
        return server_id

    return int(await hub.database.write(make))


async def test_stopped_servers_are_renamed_and_keep_the_old_name_for_people(hub: Replica) -> None:
    taken = await add(hub, "my-lab", display_name=None)
    old = await add(hub, "My Lab", display_name=None)
    running = await add(hub, "Un Fit", display_name=None, state=State.READY.value)
    await hub.database.write(lambda c: settle_invalid_names(c, "autorename"))
    found = {s.id: s for s in await hub.database.read(server_rows.named)}
    assert found[taken].name == "my-lab"
    assert is_valid(found[old].name)
    assert found[old].name.startswith("my-lab-")
    assert found[old].display_name == "My Lab"
    assert found[running].name == "Un Fit"


@pytest.mark.parametrize("rule", ["allow-start", "allow-delete"])
async def test_with_another_rule_they_stay_and_the_operator_is_told(
    hub: Replica, rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    old = await add(hub, "My Lab")
    await hub.database.write(lambda c: settle_invalid_names(c, rule))  # type: ignore[arg-type]
    (server,) = await hub.database.read(server_rows.named)
    assert (server.id, server.name) == (old, "My Lab")
    assert f"it may {rule.removeprefix('allow-')}" in caplog.text


@pytest.mark.parametrize(
    ("rule", "starts"), [("allow-start", True), ("allow-delete", False), ("autorename", False)]
)
async def test_whether_they_start_is_the_operators_choice(
    house: House, rule: str, starts: bool
) -> None:
    settings = ServerSettings(
        allow_named_servers=True,
        allow_existing_invalid_named_servers=rule,  # type: ignore[arg-type]
    )
    hub = await house.replica(settings=settings)
    await add(hub, "My Lab")
    if starts:
        assert (await hub.up("ada", "My Lab")).ready
    else:
        with pytest.raises(InvalidInput, match="not valid"):
            await hub.request("ada", "My Lab")
