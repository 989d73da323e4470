"""Authenticators: names, allow rules, order of checks, and the ones that come with the hub."""

import logging
import os
import pwd
import sys
from types import SimpleNamespace
from typing import Any

import pamela
import pytest
from traitlets import TraitError
from traitlets.config import Config

from perijove.domain.errors import ConfigError
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.local_auth import LocalAuthenticator
from perijove.plugins.pam import PAMAuthenticator
from perijove.plugins.simple_auth import (
    DummyAuthenticator,
    NullAuthenticator,
    SharedPasswordAuthenticator,
)


class Fixed(Authenticator):
    """Answers what the test says."""

    answer: Any = "ada"

    async def authenticate(self, handler: Any, data: Any) -> Any:
        return self.answer


async def sign_in(authenticator: Authenticator, answer: Any = "ada") -> dict[str, Any] | None:
    if isinstance(authenticator, Fixed):
        authenticator.answer = answer
    return await authenticator.get_authenticated_user(None, {"username": answer, "password": "p"})


# -- names -------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", ["ada", "do.t", "sp ace", "q'uote", "pa(ren", "per%cent", "ünï", "a@b.c", "-a", "..a"]
)
def test_odd_names_are_valid(name: str) -> None:
    assert Fixed().validate_username(name)


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a/b", ".", "..", "a\nb", "a\x00b", "\x7f", "\ud800", "n" * 256]
)
def test_names_that_would_hurt_elsewhere_are_invalid(name: str) -> None:
    assert not Fixed().validate_username(name)


def test_a_pattern_restricts_names() -> None:
    authenticator = Fixed(username_pattern=r"c.*")
    assert authenticator.validate_username("cal")
    assert not authenticator.validate_username("ada")


def test_names_are_lowered_and_mapped() -> None:
    authenticator = Fixed(username_map={"alias": "real"})
    assert [authenticator.normalize_username(name) for name in ("ADA", "Alias")] == ["ada", "real"]


# -- rules -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "name", "passes"),
    [
        ({}, "ada", False),
        ({"admin_users": {"ada"}}, "ada", False),
        ({"allow_all": True}, "ada", True),
        ({"allow_all": True, "blocked_users": {"ada"}}, "ada", False),
        ({"allowed_users": {"ada"}}, "ada", True),
        ({"allowed_users": {"ada"}}, "eve", False),
        ({"allowed_users": {"ada"}, "admin_users": {"chief"}}, "chief", True),
        ({"allowed_users": {"ada"}, "blocked_users": {"ada"}}, "ada", False),
        ({"whitelist": {"ada"}}, "ada", True),
        ({"whitelist": {"ada"}}, "eve", False),
        ({"whitelist": {"ada"}, "allowed_users": {"eve"}}, "eve", True),
        ({"allow_all": True, "blacklist": {"ada"}}, "ada", False),
        ({"allow_all": True}, "a/b", False),
    ],
)
async def test_only_whom_a_rule_lets_in_comes_in(
    options: dict[str, Any], name: str, passes: bool
) -> None:
    authenticator = Fixed(config=Config({"Authenticator": options}))
    assert (await sign_in(authenticator, name) is not None) is passes


async def test_people_whom_the_hub_knows_come_in_when_there_is_a_list() -> None:
    async def exists(name: str) -> bool:
        return name == "known"

    authenticator = Fixed(allowed_users={"ada"})
    authenticator._hub_knows = exists
    assert await sign_in(authenticator, "known")
    assert not await sign_in(authenticator, "unknown")
    assert not authenticator.check_allowed("known", None), "the answer outlived the sign-in"
    authenticator.add_user(SimpleNamespace(name="later"))
    assert authenticator.allowed_users == {"ada"}


async def test_without_a_hub_the_object_remembers_whom_it_was_told_of() -> None:
    authenticator = Fixed(allowed_users={"ada"})
    authenticator.add_user(SimpleNamespace(name="later"))
    assert await sign_in(authenticator, "later")
    authenticator.delete_user(SimpleNamespace(name="later"))
    assert not await sign_in(authenticator, "later")
    with pytest.raises(ValueError, match="not valid"):
        authenticator.add_user(SimpleNamespace(name="a/b"))


@pytest.mark.parametrize("key", ["allow_everyone", "allowed_user", "user_whitelist"])
def test_an_unknown_allow_rule_stops_the_start(key: str) -> None:
    authenticator = Fixed(config=Config({"Authenticator": {key: True}}))
    with pytest.raises(ConfigError, match=f"c.Authenticator.{key} is no option of Fixed"):
        authenticator.check_allow_config()


def test_the_nearest_known_rule_is_proposed() -> None:
    authenticator = Fixed(config=Config({"Fixed": {"allowed_user": {"ada"}}}))
    with pytest.raises(ConfigError, match="did you mean allowed_users"):
        authenticator.check_allow_config()


@pytest.mark.parametrize(
    ("options", "warns"),
    [
        ({}, True),
        ({"admin_users": {"ada"}}, True),
        ({"allow_all": True}, False),
        ({"allowed_users": {"ada"}}, False),
        ({"allow_existing_users": True}, False),
        ({"any_allow_config": True}, False),
    ],
)
def test_a_hub_that_nobody_can_enter_is_warned_of(
    options: dict[str, Any], warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("rules")
    with caplog.at_level("WARNING"):
        Fixed(log=logger, **options).check_allow_config()
    assert ("nobody can log in" in caplog.text) is warns


def test_a_plain_value_in_a_subclass_counts_as_the_rule(caplog: pytest.LogCaptureFixture) -> None:
    class Open(Fixed):
        allow_all = True

    authenticator = Open(config=Config({"Authenticator": {"allow_all": True}}))
    authenticator.check_allow_config()
    assert "nobody can log in" not in caplog.text


def test_options_of_a_subclass_count_as_rules_when_tagged() -> None:
    from traitlets import Set

    class Orgs(Fixed):
        allowed_orgs = Set().tag(config=True)
        teams = Set().tag(config=True, allow_config=True)

    assert Orgs(allowed_orgs={"o"}).any_allow_config
    assert Orgs(teams={"t"}).any_allow_config
    assert not Orgs().any_allow_config


# -- order and model -------------------------------------------------------------
async def test_checks_run_in_their_order() -> None:
    calls: list[str] = []

    class Traced(Fixed):
        def normalize_username(self, username: str) -> str:
            calls.append("normalize")
            return super().normalize_username(username)

        def validate_username(self, username: str) -> bool:
            calls.append("validate")
            return True

        async def check_blocked_users(self, username: str, authentication: Any = None) -> bool:
            calls.append("blocked")
            return True

        async def check_allowed(self, username: str, authentication: Any = None) -> bool:
            calls.append("allowed")
            assert authentication["name"] == "ada"
            return True

        async def is_admin(self, handler: Any, authentication: Any) -> bool:
            calls.append("admin")
            return True

    async def hook(authenticator: Any, handler: Any, model: dict[str, Any]) -> dict[str, Any]:
        calls.append("hook")
        return {**model, "hooked": True}

    model = await sign_in(Traced(post_auth_hook=hook), "ADA")
    assert calls == ["normalize", "validate", "blocked", "allowed", "admin", "hook"]
    assert model == {
        "name": "ada",
        "admin": True,
        "auth_state": None,
        "user_info": None,
        "hooked": True,
    }


async def test_a_given_admin_flag_is_kept_and_a_missing_one_asked_for() -> None:
    authenticator = Fixed(allow_all=True, admin_users={"ada"})
    for given, expected in ((None, True), (False, False)):
        model = await sign_in(authenticator, {"name": "ada", "admin": given})
        assert model
        assert model["admin"] is expected
    model = await sign_in(authenticator, "bob")
    assert model
    assert model["admin"] is None


async def test_checks_of_the_old_kind_still_count() -> None:
    class OldNames(Fixed):
        def check_whitelist(self, username: str) -> bool:  # type: ignore[override]
            return username == "old" or super().check_whitelist(username)

    class OldArguments(Fixed):
        def check_allowed(self, username: str) -> bool:  # type: ignore[override]
            return username == "old"

        def check_blocked_users(self, username: str) -> bool:  # type: ignore[override]
            return username != "blocked"

    for kind in (OldNames, OldArguments):
        assert await sign_in(kind(), "old")
        assert not await sign_in(kind(), "other")
    assert await sign_in(OldNames(allowed_users={"listed"}), "listed")


# -- simple ones -------------------------------------------------------------
async def test_the_dummy_is_open_until_a_list_or_password_is_set() -> None:
    assert await sign_in(DummyAuthenticator(), "any")
    assert not await sign_in(DummyAuthenticator(allowed_users={"ada"}), "any")
    assert await sign_in(DummyAuthenticator(password="p"), "any")
    assert not await sign_in(DummyAuthenticator(password="other"), "any")
    assert not await sign_in(DummyAuthenticator(), "")


async def test_the_null_authenticator_has_no_way_in() -> None:
    authenticator = NullAuthenticator()
    assert authenticator.get_handlers(None) == []
    assert (authenticator.auto_login, authenticator.login_service) == (True, "null")
    assert not await sign_in(authenticator)


USER, ADMIN = "user-password", "a" * 32


@pytest.mark.parametrize(
    ("name", "password", "groups"),
    [
        ("ada", USER, []),
        ("ada", "group-password", ["g"]),
        ("ada", ADMIN, None),
        ("ada", "", None),
        ("chief", ADMIN, []),
        ("chief", USER, None),
        ("CHIEF", USER, None),
    ],
)
async def test_each_kind_of_person_has_its_own_password(
    name: str, password: str, groups: list[str] | None
) -> None:
    authenticator = SharedPasswordAuthenticator(
        allow_all=True,
        manage_groups=True,
        admin_users={"chief"},
        user_password=USER,
        admin_password=ADMIN,
        password_groups={"group-password": ["g"]},
    )
    authenticator.check_allow_config()
    model = await authenticator.get_authenticated_user(
        None, {"username": name, "password": password}
    )
    assert (model["groups"] if model else None) == groups


async def test_an_admin_without_admin_password_cannot_come_in() -> None:
    authenticator = SharedPasswordAuthenticator(
        allow_all=True, admin_users={"chief"}, user_password=USER
    )
    data = {"username": "chief", "password": USER}
    assert await authenticator.get_authenticated_user(None, data) is None


def test_weak_or_equal_passwords_are_refused() -> None:
    for options in ({"user_password": "short"}, {"admin_password": "a" * 31}):
        with pytest.raises(TraitError):
            SharedPasswordAuthenticator(**options)
    for options in (
        {"user_password": ADMIN, "admin_password": ADMIN},
        {"password_groups": {USER: ["g"]}},
    ):
        with pytest.raises(ConfigError):
            SharedPasswordAuthenticator(**options).check_allow_config()


# -- system users ----------------------------------------------------------------
def system_user(name: str) -> Any:
    return SimpleNamespace(name=name)


async def test_missing_system_users_are_refused_or_created(tmp_path: Any) -> None:
    refusing = LocalAuthenticator()
    with pytest.raises(KeyError, match="create_system_users"):
        await refusing.add_user(system_user("no-such-user-here"))
    await refusing.add_user(system_user(pwd.getpwuid(os.getuid()).pw_name))
    out = tmp_path / "args"
    script = f"import sys; open({str(out)!r}, 'w').write(' '.join(sys.argv[1:]))"
    creating = LocalAuthenticator(
        create_system_users=True,
        add_user_cmd=[sys.executable, "-c", script, "--home", "/h/USERNAME"],
        uids={"no-such-user-here": 4242},
    )
    await creating.add_user(system_user("no-such-user-here"))
    assert out.read_text() == "--home /h/no-such-user-here --uid 4242 no-such-user-here"


async def test_a_failed_creation_says_why() -> None:
    authenticator = LocalAuthenticator(
        create_system_users=True, add_user_cmd=["sh", "-c", "echo no room; exit 3"]
    )
    with pytest.raises(RuntimeError, match="no room"):
        await authenticator.add_user(system_user("no-such-user-here"))
    with pytest.raises(ValueError, match="option"):
        authenticator.add_system_user(system_user("--root"))


async def test_members_of_allowed_system_groups_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    class Named(LocalAuthenticator):
        async def authenticate(self, handler: Any, data: Any) -> Any:
            return data["username"]

    groups = {
        "staff": SimpleNamespace(gr_gid=50, gr_mem=["ada"]),
        "wheel": SimpleNamespace(gr_gid=51, gr_mem=[]),
    }
    monkeypatch.setattr(Named, "_getgrnam", staticmethod(groups.__getitem__))
    monkeypatch.setattr(Named, "_getpwnam", staticmethod(lambda name: SimpleNamespace(pw_gid=1)))
    monkeypatch.setattr(
        Named, "_getgrouplist", staticmethod(lambda name, gid: [51] if name == "bob" else [1])
    )
    for option in ("allowed_groups", "group_whitelist"):
        config = Config({"LocalAuthenticator": {option: {"absent", "staff", "wheel"}}})
        authenticator = Named(config=config)
        assert await sign_in(authenticator, "ada")
        assert await sign_in(authenticator, "bob")
        assert not await sign_in(authenticator, "eve")


@pytest.fixture
def pam(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def record(kind: str) -> Any:
        def call(name: str, *args: Any, **kwargs: Any) -> None:
            calls.append((kind, name, *args))
            if name == f"bad-{kind}" or (args and args[0] == "wrong"):
                raise pamela.PAMError(errno=7)

        call.__name__ = kind
        return call

    for kind in ("authenticate", "check_account", "open_session", "close_session"):
        monkeypatch.setattr(pamela, kind, record(kind))
    return calls


async def test_pam_is_asked_for_password_and_account(pam: list[Any]) -> None:
    authenticator = PAMAuthenticator(allow_all=True)
    assert await sign_in(authenticator, "ada")
    assert pam == [("authenticate", "ada", "p"), ("check_account", "ada")]
    assert not await sign_in(authenticator, "bad-check_account")
    assert await sign_in(PAMAuthenticator(allow_all=True, check_account=False), "bad-check_account")
    assert not await authenticator.get_authenticated_user(
        None, {"username": "ada", "password": "wrong"}
    )


async def test_pam_gets_the_one_time_password_when_it_is_asked_for(pam: list[Any]) -> None:
    authenticator = PAMAuthenticator(allow_all=True, request_otp=True)
    data = {"username": "ada", "password": "p", "otp": "123"}
    assert await authenticator.get_authenticated_user(None, data)
    assert pam[0] == ("authenticate", "ada", ("p", "123"))


@pytest.mark.parametrize(
    "data", [{"username": "root\0x", "password": "p"}, {"username": "root", "password": "p\0q"}]
)
async def test_pam_never_sees_a_cut_string(pam: list[Any], data: dict[str, str]) -> None:
    assert await PAMAuthenticator(allow_all=True).authenticate(None, data) is None
    assert pam == []


async def test_pam_sessions_are_switched_off_after_an_error(pam: list[Any]) -> None:
    authenticator = PAMAuthenticator(open_sessions=True)
    await authenticator.pre_spawn_start(system_user("ada"), None)
    await authenticator.post_spawn_stop(system_user("ada"), None)
    await authenticator.pre_spawn_start(system_user("bad-open_session"), None)
    await authenticator.pre_spawn_start(system_user("ada"), None)
    assert [call[0] for call in pam] == ["open_session", "close_session", "open_session"]


async def test_admin_groups_decide_and_their_absence_is_an_error(
    pam: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    me = pwd.getpwuid(os.getuid())
    import grp

    own = grp.getgrgid(me.pw_gid).gr_name
    authenticator = PAMAuthenticator(admin_groups={own}, admin_users={"chief"})
    assert await authenticator.is_admin(None, {"name": "chief"}) is True
    assert await authenticator.is_admin(None, {"name": me.pw_name}) is True
    assert await authenticator.is_admin(None, {"name": "no-such-user-here"}) is False
    assert await PAMAuthenticator().is_admin(None, {"name": "ada"}) is None
    with pytest.raises(KeyError, match="no system group"):
        await PAMAuthenticator(admin_groups={"no-such-group"}).is_admin(None, {"name": me.pw_name})


def test_pam_can_take_the_systems_own_spelling_of_a_name() -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    assert PAMAuthenticator(pam_normalize_username=True).normalize_username(me) == me


def test_an_old_option_sets_the_new_one_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    auth = Authenticator(allowed_users={"given"})
    auth.log = logging.getLogger("old-options")
    auth.whitelist = {"ada"}
    assert auth.allowed_users == {"given", "ada"}
    assert caplog.messages == [
        "Authenticator.whitelist is deprecated in JupyterHub 1.2, "
        "use Authenticator.allowed_users instead"
    ]
    auth.whitelist = {"bob"}
    assert auth.allowed_users == {"given", "bob"}, "ada was in the old list only"
    caplog.clear()
    auth.blacklist = set()
    assert not caplog.messages, "both names say the same"
