"""Fixtures of pytest: name this module in ``pytest_plugins`` and ask for ``app``.

Fixtures are asynchronous and ``app`` lives as long as a test module, so tests need
``asyncio_mode = auto``, and the module's event loop for both fixtures and tests
(``asyncio_default_fixture_loop_scope``, ``asyncio_default_test_loop_scope``).

``jupyterhub`` means Perijove from here on.
"""

import asyncio
import itertools
import os
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from tornado.platform.asyncio import AsyncIOMainLoop

from perijove.compat import alias
from perijove.compat.orm.factory import new_session_factory
from perijove.compat.orm.people import Group, Role, Service, User
from perijove.compat.orm.shares import Share
from perijove.compat.roles import assign_default_roles, create_role, get_default_roles
from perijove.testing.calls import add_user
from perijove.testing.hub import MockHub
from perijove.testing.spawners import (
    BadSpawner,
    CustomBadSpawner,
    FormSpawner,
    NeverSpawner,
    SlowBadSpawner,
    SlowSpawner,
)

alias.install()

_numbers = itertools.count(1)


def new_username(prefix: str = "testuser") -> str:
    """A name that no other test has."""
    return f"{prefix}-{next(_numbers)}"


def new_group_name(prefix: str = "testgroup") -> str:
    """A name that no other group has."""
    return f"{prefix}-{next(_numbers)}"


def new_role_name(prefix: str = "testrole") -> str:
    """A name that no other role has."""
    return f"{prefix}-{next(_numbers)}"


# -- the hub -------------------------------------------------------------------------
@pytest.fixture(scope="module", autouse=True)
def tmp_cwd(tmp_path_factory: Any, request: Any) -> Iterator[None]:
    """Tests of a module run in a directory of their own."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp(f"cwd-{request.node.path.stem}"))
    yield
    os.chdir(before)


@pytest.fixture(scope="module")
def ssl_tmpdir(tmp_path_factory: Any, request: Any) -> Any:
    """A directory for certificates; suites that name ``app`` name it, too."""
    return tmp_path_factory.mktemp(f"ssl-{request.node.path.stem}")


@pytest.fixture(scope="module")
async def app(request: Any, tmp_path_factory: Any) -> AsyncIterator[MockHub]:
    """A running hub; with ``internal_ssl`` in a module that has ``ssl_enabled = True``."""
    options: dict[str, Any] = {}
    if getattr(request.module, "ssl_enabled", os.environ.get("SSL_ENABLED", "")):
        location = tmp_path_factory.mktemp("internal-ssl")
        options = {"internal_ssl": True, "internal_certs_location": str(location)}
    hub: MockHub = MockHub.instance(**options)
    await hub.initialize()
    try:
        await hub.start()
        yield hub
    finally:
        MockHub.clear_instance()
        await hub.stop()


@pytest.fixture(autouse=True)
async def cleanup_after() -> AsyncIterator[None]:
    """After each test: no server runs, and people, groups and shares of the test are gone."""
    yield
    hub = MockHub.instance() if MockHub.initialized() else None
    if not isinstance(hub, MockHub) or not hub.running:
        return
    hub.db.rollback()
    for row in hub.db.query(User).all():
        user = hub.users[row]
        for name, spawner in list(user.spawners.items()):
            if spawner.active:
                await user.stop(name)
        if user.name not in {"admin", "user"}:
            hub.users.delete(user.id)
    for kind in (Group, Share):
        for row in hub.db.query(kind).all():
            hub.db.delete(row)
    for service in hub.db.query(Service).all():
        if not service.from_config:
            hub.db.delete(service)
    hub.db.commit()


@pytest.fixture
def auth_state_enabled(app: MockHub) -> Iterator[None]:
    """Sign-ins have an auth_state, and it is kept."""
    app.authenticator.auth_state = {"who": "cares"}
    app.authenticator.enable_auth_state = True
    yield
    app.authenticator.enable_auth_state = False
    app.authenticator.auth_state = None


@pytest.fixture(scope="module")
async def io_loop() -> Any:
    """The event loop as tornado knows it; older suites ask for it."""
    warnings.warn("there is no need for the fixture io_loop", DeprecationWarning, stacklevel=2)
    loop: Any = AsyncIOMainLoop()
    assert loop.asyncio_loop is asyncio.get_running_loop()
    return loop


@pytest.fixture
def db() -> Iterator[Any]:
    """A session on a database without a hub, with the usual roles and a user."""
    session = new_session_factory()()
    for role in get_default_roles():
        create_role(session, role)
    user = User(name="user")
    session.add(user)
    session.commit()
    assign_default_roles(session, user)
    yield session
    session.close()


# -- people, groups, roles ----------------------------------------------------------------
@pytest.fixture
def username() -> str:
    """A name that no other test has."""
    return new_username()


@pytest.fixture
def user(app: MockHub) -> Any:
    """A user."""
    return add_user(app.db, app, name=new_username())


@pytest.fixture
def admin_user(app: MockHub) -> Any:
    """An administrator."""
    return add_user(app.db, app, name=new_username("testadmin"), admin=True)


@pytest.fixture
def groupname() -> str:
    """A name that no other group has."""
    return new_group_name()


@pytest.fixture
def group(app: MockHub) -> Any:
    """A group, stored."""
    made = Group(name=new_group_name())
    app.db.add(made)
    app.db.commit()
    return made


@contextmanager
def _temporary_roles(app: MockHub) -> Iterator[Callable[..., Any]]:
    made = []

    def create(scopes: Iterable[str], role_name: str | None = None) -> Any:
        role = Role(name=role_name or new_role_name(), scopes=list(scopes))
        made.append(role)
        app.db.add(role)
        app.db.commit()
        return role

    yield create
    for role in made:
        app.db.delete(role)
    app.db.commit()


@pytest.fixture
def create_temp_role(app: MockHub) -> Iterator[Callable[..., Any]]:
    """``create_temp_role(scopes, role_name=None)``: a role, stored; gone after the test."""
    with _temporary_roles(app) as create:
        yield create


@pytest.fixture
def role(app: MockHub) -> Iterator[Any]:
    """A role without scopes, stored; gone after the test."""
    with _temporary_roles(app) as create:
        yield create([])


@pytest.fixture
def create_user_with_scopes(
    app: MockHub, create_temp_role: Callable[..., Any]
) -> Callable[..., Any]:
    """``create_user_with_scopes(*scopes, name=None)``: a user with a role that has them."""

    def create(*scopes: str, name: str | None = None) -> Any:
        role = create_temp_role(scopes)
        return add_user(app.db, app, name=name or new_username(), roles=[role.name])

    return create


# -- settings for one test -----------------------------------------------------------------
@pytest.fixture
def admin_access(app: MockHub) -> Iterator[None]:
    """Administrators may visit people's servers."""
    with mock.patch.dict(app.tornado_settings, {"admin_access": True}):
        yield


def _spawning(kind: type) -> Any:
    def use(app: MockHub) -> Iterator[None]:
        with mock.patch.dict(app.tornado_settings, {"spawner_class": kind}):
            yield

    return use


slow_spawn = pytest.fixture(_spawning(SlowSpawner), name="slow_spawn")
never_spawn = pytest.fixture(_spawning(NeverSpawner), name="never_spawn")
bad_spawn = pytest.fixture(_spawning(BadSpawner), name="bad_spawn")
slow_bad_spawn = pytest.fixture(_spawning(SlowBadSpawner), name="slow_bad_spawn")
custom_bad_spawn = pytest.fixture(_spawning(CustomBadSpawner), name="custom_bad_spawn")
form_spawn = pytest.fixture(_spawning(FormSpawner), name="form_spawn")
