"""When the client asks again, and when it must not."""

import pytest
from wire_fakes import Answer, FakeTransport, SkippingClock, client_of, problem

from perijove.wire.client import (
    HubClient,
    HubFailed,
    NotFound,
    Retries,
    TimedOut,
    TooMany,
    Unreachable,
)
from perijove.wire.client_transport import Interrupted, NotSent

ADA = Answer(200, {"kind": "user", "name": "ada"})
MADE = Answer(201, {"kind": "user", "name": "ada"})


async def test_a_read_outlives_a_hub_that_restarts() -> None:
    transport = FakeTransport(
        NotSent("connection refused"), problem(503), Interrupted("broken"), problem(502), ADA
    )
    clock = SkippingClock()
    assert (await client_of(transport, clock).user("ada")).name == "ada"
    assert len(clock.waits) == 4


async def test_waits_are_random_and_stay_below_a_growing_bound() -> None:
    clock = SkippingClock()
    transport = FakeTransport(*[NotSent("connection refused")] * 6)
    retries = Retries(attempts=6, start_s=1.0, max_s=4.0)
    with pytest.raises(Unreachable):
        await client_of(transport, clock, retries).version()
    assert len(set(clock.waits)) == 5
    assert all(wait <= bound for wait, bound in zip(clock.waits, [1, 2, 4, 4, 4], strict=True))


@pytest.mark.parametrize("lost", [problem(502), problem(503), problem(504), Interrupted("broken")])
async def test_what_may_have_been_carried_out_is_not_said_twice(lost: Answer | Exception) -> None:
    transport = FakeTransport(lost, MADE)
    with pytest.raises((HubFailed, Unreachable)):
        await client_of(transport).create_user("ada")
    assert len(transport.sent) == 1


async def test_a_creation_that_may_find_it_there_is_said_twice_and_says_so() -> None:
    transport = FakeTransport(problem(503), Interrupted("broken"), ADA)
    assert (await client_of(transport).create_user("ada", exist_ok=True)).name == "ada"
    assert [sent.headers["Prefer"] for sent in transport.sent] == ["handling=lenient"] * 3


async def test_what_never_left_is_sent_again_whatever_it_is() -> None:
    transport = FakeTransport(NotSent("connection refused"), MADE)
    assert (await client_of(transport).create_user("ada")).name == "ada"


async def test_a_hub_that_says_when_is_asked_no_sooner() -> None:
    clock = SkippingClock()
    transport = FakeTransport(problem(429, "Too many", retry_after="7"), Answer(201))
    assert await client_of(transport, clock).start_server("ada")
    assert 7.0 <= clock.waits[0] <= 7.2


async def test_a_date_in_retry_after_counts_from_now() -> None:
    clock = SkippingClock()
    when = "Thu, 01 Jan 2026 00:00:09 GMT"
    transport = FakeTransport(problem(503, None, retry_after=when), ADA)
    await client_of(transport, clock).user("ada")
    assert 9.0 <= clock.waits[0] <= 9.2


@pytest.mark.parametrize("headers", [{}, {"retry_after": "3600"}, {"retry_after": "soon"}])
async def test_a_limit_without_a_near_end_is_reported_at_once(headers: dict[str, str]) -> None:
    transport = FakeTransport(problem(429, "Too many", **headers))
    with pytest.raises(TooMany, match="Too many"):
        await client_of(transport).start_server("ada")
    assert len(transport.sent) == 1


async def test_attempts_end_and_the_last_failure_is_told() -> None:
    transport = FakeTransport(*[problem(503, "Service Unavailable")] * 9)
    with pytest.raises(HubFailed, match="Service Unavailable"):
        await client_of(transport, retries=Retries(attempts=3)).user("ada")
    assert len(transport.sent) == 3


async def test_no_attempt_begins_after_the_time_for_all_of_them() -> None:
    clock = SkippingClock()
    transport = FakeTransport(*[problem(503, None, retry_after="20")] * 9)
    with pytest.raises(HubFailed):
        await client_of(transport, clock, Retries(attempts=9, within_s=45)).user("ada")
    assert clock.monotonic() <= 45
    assert len(transport.sent) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500, 501])
async def test_answers_that_will_not_change_are_not_asked_for_again(status: int) -> None:
    transport = FakeTransport(problem(status))
    with pytest.raises(Exception, match=str(status)):
        await client_of(transport).user("ada")
    assert len(transport.sent) == 1


async def test_what_an_earlier_attempt_deleted_is_deleted() -> None:
    transport = FakeTransport(Interrupted("broken"), problem(404))
    assert await client_of(transport).delete_user("ada")


async def test_what_was_never_there_is_not_found_though_the_first_attempt_never_left() -> None:
    transport = FakeTransport(NotSent("connection refused"), problem(404))
    with pytest.raises(NotFound):
        await client_of(transport).delete_user("ada")


async def test_a_start_that_waits_may_be_repeated_and_one_that_does_not_may_not() -> None:
    transport = FakeTransport(problem(503), Answer(200))
    assert await client_of(transport).start_server("ada", wait_s=30)
    assert [sent.headers["Prefer"] for sent in transport.sent] == ["wait=30"] * 2
    transport = FakeTransport(problem(503), Answer(200))
    with pytest.raises(HubFailed):
        await client_of(transport).start_server("ada")


async def test_waiting_lengthens_the_time_limit() -> None:
    transport = FakeTransport(Answer(201))
    hub = HubClient("http://hub.test", transport=transport, timeout_s=5)  # type: ignore[arg-type]
    await hub.start_server("ada", wait_s=120)
    assert transport.sent[0].limit_s == 125


async def test_a_time_limit_is_not_spent_twice() -> None:
    transport = FakeTransport(TimeoutError(), ADA)
    with pytest.raises(TimedOut, match="60 seconds"):
        await client_of(transport).user("ada")
    assert len(transport.sent) == 1


async def test_a_certificate_that_is_not_trusted_is_no_reason_to_try_again() -> None:
    transport = FakeTransport(NotSent("its certificate is not trusted", final=True), ADA)
    with pytest.raises(Unreachable, match="certificate"):
        await client_of(transport).user("ada")
