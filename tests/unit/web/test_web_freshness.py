"""Who has to sign in again before a server is started or stopped."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from perijove.domain.errors import Forbidden
from perijove.domain.ports import AuthRules
from perijove.people.refresh import Freshness
from perijove.web.call import Call
from perijove.web.freshness import require_fresh

OWNER: Any = SimpleNamespace(id=1, name="ada")
OTHER: Any = SimpleNamespace(id=2, name="grace")
BROWSER = SimpleNamespace(user=OWNER, signed_in=object())
OWN_TOKEN = SimpleNamespace(user=OWNER, signed_in=None)
ADMIN = SimpleNamespace(user=OTHER, signed_in=object())
SERVICE = SimpleNamespace(user=None, signed_in=None)


def call_of(caller: Any, *, strict: bool = False, age_s: float = 300) -> tuple[Call, list[Any]]:
    """A request of that caller at a hub whose authenticator finds everybody stale."""
    asked: list[Any] = []

    async def refresh(user: Any, request: Any, *, force: bool) -> Any:
        asked.append(user)
        return Freshness.STALE, user

    rules = AuthRules(refresh_pre_spawn=True, refresh_pre_stop=True, refresh_strict=strict)
    rooms = SimpleNamespace(
        authenticator=SimpleNamespace(rules=rules, refresh_age_s=age_s),
        refresher=SimpleNamespace(refresh=refresh),
    )
    return cast("Call", SimpleNamespace(rooms=rooms, request=None, caller=caller)), asked


@pytest.mark.parametrize("action", ["spawn", "stop"])
@pytest.mark.parametrize("strict", [True, False])
async def test_who_is_there_and_can_sign_in_again_has_to(action: str, strict: bool) -> None:
    call, _ = call_of(BROWSER, strict=strict)
    with pytest.raises(Forbidden, match="login again"):
        await require_fresh(call, OWNER, action)


@pytest.mark.parametrize("action", ["spawn", "stop"])
@pytest.mark.parametrize("caller", [OWN_TOKEN, ADMIN, SERVICE])
async def test_programs_and_other_people_go_on_with_what_is_known(action: str, caller: Any) -> None:
    call, asked = call_of(caller)
    await require_fresh(call, OWNER, action)
    assert asked == [OWNER]


@pytest.mark.parametrize("caller", [OWN_TOKEN, ADMIN, SERVICE])
async def test_a_strict_authenticator_starts_nothing_stale_but_lets_others_stop_it(
    caller: Any,
) -> None:
    call, _ = call_of(caller, strict=True)
    with pytest.raises(Forbidden):
        await require_fresh(call, OWNER, "spawn")
    if caller is not OWN_TOKEN:
        await require_fresh(call, OWNER, "stop")


async def test_a_refresh_age_of_zero_asks_nobody() -> None:
    call, asked = call_of(BROWSER, age_s=0)
    await require_fresh(call, OWNER, "spawn")
    assert asked == []
