"""Writers at once: on SQLite they share commits, and nobody's failure is another's."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from perijove.domain.errors import StoreUnavailable
from perijove.store.engine import Database
from perijove.store.writer import MAX_TOGETHER


@pytest.fixture
def numbers(database: Database) -> Database:
    """A database with a table of distinct numbers."""
    database.write_now(lambda c: c.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")))
    return database


def add(connection: Connection, number: int) -> int:
    connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
    return number


def stored(database: Database) -> list[int]:
    return database.read_now(
        lambda c: list(c.execute(text("SELECT n FROM numbers ORDER BY n")).scalars())
    )


@contextmanager
def counted_commits(database: Database) -> Iterator[list[int]]:
    seen: list[int] = []

    def note(connection: Connection) -> None:
        seen.append(1)

    event.listen(database.engine, "commit", note)
    yield seen
    event.remove(database.engine, "commit", note)


async def test_what_fails_is_undone_alone(numbers: Database) -> None:
    def half(connection: Connection) -> None:
        add(connection, 100)
        raise LookupError("no")

    results = await asyncio.gather(
        *(numbers.write(lambda c, n=n: add(c, n)) for n in range(5)),
        numbers.write(half),
        numbers.write(lambda c: add(c, 3)),
        *(numbers.write(lambda c, n=n: add(c, n)) for n in range(5, 10)),
        return_exceptions=True,
    )
    assert stored(numbers) == list(range(10))
    assert isinstance(results[5], LookupError)
    # PostgreSQL takes them at once, so either of the two may be the second.
    first, second = results[3], results[6]
    assert {type(first), type(second)} == {int, IntegrityError}
    if numbers.sqlite:
        assert first == 3
    assert results[:3] + results[4:5] + results[7:] == [0, 1, 2, *range(4, 10)]


async def test_whatever_a_work_raises_the_others_hear_of_their_end(numbers: Database) -> None:
    def ends(connection: Connection) -> int:
        return next(iter(()))

    async with asyncio.timeout(20):
        results = await asyncio.gather(
            *(numbers.write(lambda c, n=n: add(c, n)) for n in range(3)),
            *((numbers.write(ends),) if numbers.sqlite else ()),
            numbers.write(lambda c: add(c, 3)),
            return_exceptions=True,
        )
    assert [result for result in results if isinstance(result, int)] == [0, 1, 2, 3]
    assert not numbers.sqlite or isinstance(results[3], RuntimeError)


async def test_whoever_has_an_answer_is_stored(numbers: Database) -> None:
    async def write(number: int) -> None:
        await numbers.write(lambda c: add(c, number))
        assert number in stored(numbers)

    await asyncio.gather(*(write(number) for number in range(40)))


# -- on SQLite ----------------------------------------------------------------------
@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    """Numbers in a SQLite file."""
    opened = Database(str(tmp_path / "numbers.sqlite"))
    opened.write_now(lambda c: c.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")))
    yield opened
    opened.close()


async def test_those_who_wait_share_a_commit_in_their_order(file: Database) -> None:
    done: list[int] = []

    def write(connection: Connection, number: int) -> None:
        done.append(add(connection, number))

    many = 3 * MAX_TOGETHER
    with counted_commits(file) as commits:
        await asyncio.gather(*(file.write(lambda c, n=n: write(c, n)) for n in range(many)))
    assert done == list(range(many))
    # The first may have gone alone; the thread may have looked before all had come.
    assert many / MAX_TOGETHER <= len(commits) < many / 4
    assert stored(file) == done


async def test_a_failed_commit_fails_all_that_shared_it(file: Database) -> None:
    def refuse(connection: Connection) -> None:
        raise OperationalError("COMMIT", {}, Exception("the disk is full"))

    event.listen(file.engine, "commit", refuse)
    results = await asyncio.gather(
        *(file.write(lambda c, n=n: add(c, n)) for n in range(8)), return_exceptions=True
    )
    event.remove(file.engine, "commit", refuse)
    assert [type(result) for result in results] == [StoreUnavailable] * 8
    assert stored(file) == []
    assert await file.write(lambda c: add(c, 1)) == 1
    assert stored(file) == [1]


async def test_a_transaction_that_the_database_gave_up_fails_all_and_the_next_goes_on(
    file: Database,
) -> None:
    def give_up(connection: Connection) -> None:
        # As SQLite does by itself when the disk is full: the savepoints are gone as well.
        connection.exec_driver_sql("ROLLBACK")
        raise LookupError

    results = await asyncio.gather(
        file.write(lambda c: add(c, 1)),
        file.write(lambda c: add(c, 2)),
        file.write(give_up),
        file.write(lambda c: add(c, 4)),
        return_exceptions=True,
    )
    kept = [result for result in results if isinstance(result, int)]
    assert stored(file) == kept
    assert await file.write(lambda c: add(c, 9)) == 9


async def test_who_gave_up_waiting_is_left_out(file: Database) -> None:
    writers = [asyncio.ensure_future(file.write(lambda c, n=n: add(c, n))) for n in range(10)]
    last = writers.pop()
    await asyncio.sleep(0)
    last.cancel()
    await asyncio.wait(writers)
    with pytest.raises(asyncio.CancelledError):
        await last
    # It may have been under way already, and then counts; all others do in any case.
    assert stored(file)[:9] == list(range(9))


async def test_a_plug_ins_own_write_takes_its_turn(file: Database) -> None:
    results = await asyncio.gather(
        *(file.write(lambda c, n=n: add(c, n)) for n in range(20)),
        *(asyncio.to_thread(file.write_now, lambda c, n=n: add(c, n)) for n in range(20, 30)),
    )
    assert results == list(range(30)) == stored(file)


async def test_the_version_changes_with_each_commit_and_only_then(file: Database) -> None:
    before = file.version()
    assert before is not None
    stored(file)
    assert file.version() == before
    await file.write(lambda c: add(c, 1))
    after = file.version()
    assert after != before
    other = Database(file.url)
    other.write_now(lambda c: add(c, 2))
    other.close()
    assert file.version() not in (before, after)


def test_a_database_that_cannot_tell_has_no_version(database: Database) -> None:
    assert (database.version() is None) is not database.sqlite
