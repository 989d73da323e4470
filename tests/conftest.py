"""What tests of several rooms share: databases to run on.

SQLite needs nothing. PostgreSQL tests use the server named by
``PERIJOVE_TEST_POSTGRESQL`` (``make test`` starts a private one and sets it);
each test gets an empty database of its own there. Without the variable those
tests are skipped, or fail when ``PERIJOVE_TEST_STRICT`` is set, so that CI
cannot pass by leaving them out.
"""

import os
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from harness import missing
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import URL, make_url

# How long an example takes depends on what else the machine does.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session")
def postgresql_server() -> URL:
    """The server that tests may make databases on."""
    url = os.environ.get("PERIJOVE_TEST_POSTGRESQL")
    if not url:
        missing("PERIJOVE_TEST_POSTGRESQL names no PostgreSQL server")
    return make_url(url)


@pytest.fixture
def postgresql_url(postgresql_server: URL) -> Iterator[str]:
    """An empty PostgreSQL database, removed after the test."""
    name = f"perijove_{uuid.uuid4().hex}"
    plain = postgresql_server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield postgresql_server.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.sqlite'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make reports encodable: pytest-xdist sends them as UTF-8, and tests log half characters."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
