"""Tokens over the API: how long they live."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from web_house import WebHouse

TOKENS = "/users/ada/tokens"


@pytest.mark.parametrize("body", [{}, {"expires_in": None}, {"expires_in": 0}])
async def test_a_token_without_a_life_never_ends(house: WebHouse, body: dict[str, object]) -> None:
    await house.add_user("ada")
    made = await house.root.post(TOKENS, json=body)
    assert made.status_code == 201
    assert made.json()["expires_at"] is None


@pytest.mark.parametrize("life", [-1, 0.5, 1.5, "0", "60", True, False, [0], {}, 10**11, 10**30])
async def test_a_life_that_is_no_number_of_seconds_is_refused(
    house: WebHouse, life: object
) -> None:
    await house.add_user("ada")
    refused = await house.root.post(TOKENS, json={"expires_in": life})
    assert refused.status_code == 400
    assert "expires_in" in refused.json()["message"]
    assert (await house.root.get(TOKENS)).json() == {"api_tokens": []}


@pytest.mark.parametrize("body", [{}, {"expires_in": None}, {"expires_in": 0}])
async def test_where_the_hub_bounds_lives_no_life_is_the_longest(
    tmp_path: Path, body: dict[str, object]
) -> None:
    house = await WebHouse.open(tmp_path, "c.JupyterHub.token_expires_in_max_seconds = 3600\n")
    await house.add_user("ada")
    made = await house.root.post(TOKENS, json=body)
    refused = await house.root.post(TOKENS, json={"expires_in": 3601})
    await house.close()
    left = datetime.fromisoformat(made.json()["expires_at"]) - datetime.now(UTC)
    assert 3590 < left.total_seconds() <= 3600
    assert refused.status_code == 400
