"""The first word with the hub."""

import logging

import pytest

from perijove.hubauth.client import HubReply, HubRequest, HubUnreachable
from perijove.singleuser.greeting import compare_versions, greet


class Hub:
    """Is up after some tries."""

    def __init__(self, refusals: int, version: str = "6.1.1") -> None:
        self.refusals = refusals
        self.version = version
        self.requests: list[HubRequest] = []

    def __call__(self, request: HubRequest) -> HubReply:
        self.requests.append(request)
        if len(self.requests) <= self.refusals:
            raise HubUnreachable("The hub does not answer.")
        return HubReply(200, {"x-jupyterhub-version": self.version}, b"{}")


def test_a_hub_that_is_late_is_waited_for_with_growing_pauses() -> None:
    hub, pauses = Hub(refusals=3), []
    greet("http://hub/hub/api", hub, pauses.append)
    assert pauses == [2.0, 4.0, 8.0]
    assert {(r.method, r.url) for r in hub.requests} == {("GET", "http://hub/hub/api")}
    assert not hub.requests[0].headers


def test_after_five_tries_the_hub_is_given_up() -> None:
    hub, pauses = Hub(refusals=99), []
    with pytest.raises(HubUnreachable):
        greet("http://hub/hub/api", hub, pauses.append)
    assert len(hub.requests) == 5
    assert pauses == [2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(
    ("hub", "own", "level"),
    [
        ("6.1.1", "6.1.1", logging.DEBUG),
        ("6.0.0", "6.1.1", logging.DEBUG),
        ("5.4.0", "6.1.1", logging.WARNING),
        ("", "6.1.1", logging.WARNING),
    ],
)
def test_only_another_first_number_or_none_is_worth_a_warning(
    hub: str, own: str, level: int
) -> None:
    assert compare_versions(hub, own).level == level
