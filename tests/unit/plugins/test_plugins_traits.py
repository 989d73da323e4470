"""The trait types that configuration files and plug-ins use."""

import pytest
from traitlets import TraitError, Type
from traitlets.config import Config, Configurable
from traitlets.config.loader import KVArgParseConfigLoader as KVCommandLine

from perijove.plugins import discover
from perijove.plugins.authenticator import Authenticator
from perijove.plugins.simple_auth import DummyAuthenticator
from perijove.plugins.traits import ByteSpecification, Callable, Command, EntryPointType, URLPrefix


class Holder(Configurable):
    prefix = URLPrefix("/").tag(config=True)
    size = ByteSpecification(None, allow_none=True).tag(config=True)
    command = Command(["one"]).tag(config=True)
    unset_command = Command([]).tag(config=True)
    single = Command("single").tag(config=True)
    hook = Callable(None, allow_none=True).tag(config=True)
    kind = EntryPointType(
        DummyAuthenticator,
        klass=Authenticator,
        entry_point_group=discover.AUTHENTICATORS,
        help="Who lets people in.",
    ).tag(config=True)


@pytest.mark.parametrize(
    ("given", "kept"), [("", "/"), ("/", "/"), ("a", "/a/"), ("/a/b", "/a/b/"), ("//a//", "/a/")]
)
def test_a_prefix_gets_its_two_slashes(given: str, kept: str) -> None:
    assert Holder(prefix=given).prefix == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [(5, 5), ("5", 5), ("1K", 1024), ("1.5G", 3 << 29), ("2T", 2 << 40), (1.9, 1), (None, None)],
)
def test_a_size_counts_in_powers_of_1024(given: object, kept: object) -> None:
    assert Holder(size=given).size == kept


@pytest.mark.parametrize("given", ["", "K", "1k", "1KB", "-1", "1e3", "nan", [], {}])
def test_a_malformed_size_is_refused(given: object) -> None:
    with pytest.raises(TraitError):
        Holder(size=given)


def test_a_size_given_on_the_command_line_is_read_like_any_other() -> None:
    assert Holder(config=Config({"Holder": {"size": "512M"}})).size == 512 << 20


def test_a_command_may_be_one_string() -> None:
    holder = Holder()
    assert (holder.command, holder.single, holder.unset_command) == (["one"], ["single"], [])
    holder.command = "with spaces in it"
    assert holder.command == ["with spaces in it"]
    with pytest.raises(TraitError):
        holder.command = []
    with pytest.raises(TraitError):
        holder.command = ["ok", 3]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["a"], ["a"]),
        (["a b"], ["a b"]),
        (["['a', 'b']"], ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        (["[a"], ["[a"]),
    ],
)
def test_a_command_is_read_from_the_command_line(words: list[str], command: list[str]) -> None:
    arguments = [f"--Holder.command={word}" for word in words]
    config = KVCommandLine(arguments, classes=[Holder]).load_config()
    assert Holder(config=config).command == command


def test_only_callables_are_hooks() -> None:
    holder = Holder()
    assert holder.hook is None
    holder.hook = len
    assert holder.hook is len
    with pytest.raises(TraitError):
        holder.hook = "len"


@pytest.mark.parametrize(
    "name", ["dummy", "DUMMY", "perijove.plugins.simple_auth.DummyAuthenticator"]
)
def test_a_class_is_named_by_short_name_in_any_case_or_by_import_path(name: str) -> None:
    assert Holder(kind=name).kind is DummyAuthenticator


@pytest.mark.parametrize("name", ["nope", "perijove.plugins.simple_auth.Nope", "simple"])
def test_an_unknown_class_name_is_refused(name: str) -> None:
    with pytest.raises(TraitError):
        Holder(kind=name)


def test_a_class_of_another_kind_is_refused() -> None:
    with pytest.raises(TraitError):
        Holder(kind="perijove.plugins.local.LocalProcessSpawner")


def test_help_lists_the_installed_names() -> None:
    trait = Holder.class_traits()["kind"]
    assert isinstance(trait, Type)
    assert trait.help.startswith("Who lets people in.")
    assert "dummy: perijove.plugins.simple_auth.DummyAuthenticator" in trait.help


def test_own_names_win_over_other_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        dist = None

        def __init__(self, name: str, value: str) -> None:
            self.name, self.value = name, value

    monkeypatch.setattr(
        discover,
        "entry_points",
        lambda group: [
            Point("Dummy", "other.package:Other"),
            Point("Extra", "collections:OrderedDict"),
        ],
    )
    names = discover.list_plugins(discover.AUTHENTICATORS)
    assert names["dummy"] == "perijove.plugins.simple_auth:DummyAuthenticator"
    assert discover.load_plugin(discover.AUTHENTICATORS, "EXTRA").__name__ == "OrderedDict"  # type: ignore[attr-defined]
