"""The console's batches: in order, soon, and nothing is lost."""

import asyncio
import io
import logging
import os
from collections.abc import Iterator

import pytest

from perijove.telemetry.console import MAX_LINES, ConsoleHandler


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(out: io.StringIO) -> Iterator[logging.Logger]:
    """A logger with nothing but the handler under test."""
    logger = logging.Logger("console-test", logging.DEBUG)
    handler = ConsoleHandler(out)
    logger.addHandler(handler)
    yield logger
    handler.close()


async def until(out: io.StringIO, text: str) -> None:
    async with asyncio.timeout(5):
        while out.getvalue() != text:
            await asyncio.sleep(0.005)


async def test_lines_of_the_event_loop_go_out_together_and_in_order(
    log: logging.Logger, out: io.StringIO
) -> None:
    log.info("one")
    log.info("two")
    assert out.getvalue() == ""
    await until(out, "one\ntwo\n")
    log.info("three")
    await until(out, "one\ntwo\nthree\n")


async def test_a_warning_goes_out_at_once_behind_what_waits(
    log: logging.Logger, out: io.StringIO
) -> None:
    log.info("before")
    log.warning("trouble")
    assert out.getvalue() == "before\ntrouble\n"


async def test_what_a_thread_logs_goes_out_at_once_behind_what_waits(
    log: logging.Logger, out: io.StringIO
) -> None:
    log.info("before")
    await asyncio.to_thread(log.info, "thread")
    assert out.getvalue() == "before\nthread\n"


def test_without_an_event_loop_every_line_goes_out_at_once(
    log: logging.Logger, out: io.StringIO
) -> None:
    log.info("one")
    assert out.getvalue() == "one\n"


async def test_a_flood_does_not_wait(log: logging.Logger, out: io.StringIO) -> None:
    for number in range(MAX_LINES + 1):
        log.info("%d", number)
    assert out.getvalue().count("\n") == MAX_LINES + 1


def test_lines_of_a_loop_that_ended_go_out_with_the_next_or_the_end(
    log: logging.Logger, out: io.StringIO
) -> None:
    async def say(text: str) -> None:
        log.info(text)

    async def say_and_wait() -> None:
        log.info("second")
        await until(out, "first\nsecond\n")
        log.info("third")

    asyncio.run(say("first"))
    asyncio.run(say_and_wait())
    assert out.getvalue() == "first\nsecond\n"
    log.handlers[0].flush()
    assert out.getvalue() == "first\nsecond\nthird\n"


def said_by_a_child(log: logging.Logger, out: io.StringIO) -> bytes:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        log.warning("child")
        os.write(write, out.getvalue().encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    said = os.read(read, 1000)
    os.close(read)
    return said


async def test_a_forked_child_does_not_repeat_its_parent(
    log: logging.Logger, out: io.StringIO
) -> None:
    log.info("parent")
    assert said_by_a_child(log, out) == b"child\n"
