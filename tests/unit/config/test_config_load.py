"""Command line and configuration file: what wins, and what is said about mistakes."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from traitlets import Integer, List, Type
from traitlets.config import Configurable

from perijove.config.hub import ALIASES, FLAGS, JupyterHub
from perijove.config.load import load_hub
from perijove.domain.errors import ConfigError
from perijove.plugins.local import SimpleLocalProcessSpawner
from perijove.plugins.spawner import Spawner


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def message(argv: list[str]) -> str:
    with pytest.raises(ConfigError) as caught:
        load_hub(argv)
    assert "\n" not in caught.value.message
    return caught.value.message


# -- which file, and what wins ----------------------------------------------


def test_without_a_file_the_defaults_count() -> None:
    loaded = load_hub([])
    assert (loaded.file, loaded.hub.port, loaded.warnings) == ("", 8000, ())


def test_our_own_file_comes_before_the_other_one(workdir: Path) -> None:
    write("jupyterhub_config.py", "c.JupyterHub.port = 1111")
    assert load_hub([]).hub.port == 1111
    write("perijove_config.py", "c.JupyterHub.port = 2222")
    loaded = load_hub([])
    assert (loaded.hub.port, loaded.hub.config_file) == (2222, "perijove_config.py")
    assert loaded.file == str(workdir / "perijove_config.py")


@pytest.mark.parametrize(
    "argv", [["-f", "my.py"], ["--config", "my.py"], ["--config=my.py"], ["-f=my.py"]]
)
def test_a_named_file_counts_alone(argv: list[str]) -> None:
    write("jupyterhub_config.py", "c.JupyterHub.port = 1111")
    write("my.py", "c.JupyterHub.ip = '1.2.3.4'")
    hub = load_hub(argv).hub
    assert (hub.ip, hub.port) == ("1.2.3.4", 8000)


def test_a_named_file_must_exist() -> None:
    assert message(["-f", "nope.py"]) == "ERROR: Failed to find specified config file: nope.py"


def test_the_command_line_wins_over_the_file() -> None:
    write("jupyterhub_config.py", "c.JupyterHub.port = 1111\nc.JupyterHub.ip = '1.1.1.1'")
    hub = load_hub(["--port", "2222"]).hub
    assert (hub.port, hub.ip, hub.bind_url) == (2222, "1.1.1.1", "http://1.1.1.1:2222/")


def test_debug_wins_over_the_level_in_the_file() -> None:
    write("jupyterhub_config.py", "c.JupyterHub.log_level = 'WARN'")
    assert load_hub([]).hub.log_level == 30
    assert load_hub(["--debug"]).hub.log_level == 10
    assert logging.getLogger("JupyterHub").level == 10


def test_a_file_may_be_json_or_have_no_ending() -> None:
    write("conf.json", json.dumps({"JupyterHub": {"port": 1234}}))
    write("conf", "c.JupyterHub.port = 4321")
    assert load_hub(["-f", "conf.json"]).hub.port == 1234
    assert load_hub(["-f", "conf"]).hub.port == 4321


def test_a_file_has_the_usual_names_at_hand(workdir: Path) -> None:
    Path("sub").mkdir()
    write("sub/beside.py", "c.JupyterHub.ip = '2.2.2.2'")
    write("here.py", "c.JupyterHub.hub_ip = '3.3.3.3'")
    write(
        "sub/main.py",
        "assert get_config() is c\n"
        "load_subconfig('beside.py')\nload_subconfig('here.py')\n"
        "c.JupyterHub.pid_file = __file__",
    )
    hub = load_hub(["-f", "sub/main.py"]).hub
    assert (hub.ip, hub.hub_ip) == ("2.2.2.2", "3.3.3.3")
    assert hub.pid_file == str(workdir / "sub" / "main.py")


def test_a_missing_part_of_the_file_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    write("jupyterhub_config.py", "load_subconfig('nix.py')")
    load_hub([])
    assert "there is no file nix.py" in caplog.text


# -- flags and aliases --------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "option", "value"),
    [
        (["--ip", "1.2.3.4"], "ip", "1.2.3.4"),
        (["--port=99"], "port", 99),
        (["--url", "http://127.0.0.1:1/x/"], "bind_url", "http://127.0.0.1:1/x/"),
        (["--base-url", "x"], "base_url", "/x/"),
        (["--ssl-key", "k"], "ssl_key", "k"),
        (["--ssl-cert", "c"], "ssl_cert", "c"),
        (["--db", "x.sqlite"], "db_url", "sqlite:///x.sqlite"),
        (["--no-db"], "db_url", "sqlite:///:memory:"),
        (["--upgrade-db"], "upgrade_db", True),
        (["--pid-file", "p"], "pid_file", "p"),
        (["--log-file", "l"], "extra_log_file", "l"),
        (["--log-level", "ERROR"], "log_level", 40),
        (["--log-level=40"], "log_level", 40),
        (["--debug"], "log_level", 10),
        (["-y"], "answer_yes", True),
        (["-y=false"], "answer_yes", False),
        (["--no-ssl"], "confirm_no_ssl", True),
        (["--generate-config"], "generate_config", True),
        (["--generate-certs"], "generate_certs", True),
        (["--show-config"], "show_config", True),
        (["--show-config-json"], "show_config_json", True),
        (["--JupyterHub.active_server_limit=5"], "active_server_limit", 5),
    ],
)
def test_a_word_of_the_command_line_sets_its_option(
    argv: list[str], option: str, value: Any
) -> None:
    assert getattr(load_hub(argv).hub, option) == value


def test_every_alias_and_flag_sets_an_option_that_exists() -> None:
    traits = JupyterHub.class_traits(config=True)
    for target in ALIASES.values():
        assert target.partition(".")[2] in traits
    for settings, help_text in FLAGS.values():
        assert help_text
        for options in settings.values():
            assert set(options) <= set(traits)


def test_options_of_plugins_can_be_given_on_the_command_line() -> None:
    config = load_hub(["--JupyterHub.spawner_class=simple", "--Spawner.start_timeout=5"]).config
    assert SimpleLocalProcessSpawner(config=config).start_timeout == 5


@pytest.mark.parametrize("argv", [["--version"], ["-h"], ["--help"], ["--help-all"]])
def test_asking_for_help_prints_and_ends(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        load_hub(argv)
    assert caught.value.code in {0, None}
    out = capsys.readouterr().out
    assert "6.1.1" in out if argv == ["--version"] else "--base-url" in out
    assert ("--Spawner.start_timeout" in out) == (argv == ["--help-all"])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["extra", "words"], "Unrecognized command-line arguments: 'extra words'"),
        (["--prot=3"], "Unrecognized command-line arguments: '--prot=3' (did you mean '--port'?)"),
        (["-x"], "Unrecognized command-line arguments: '-x'"),
        (["-fmy.py"], "Unrecognized command-line arguments: '-fmy.py'"),
        (["--port"], "Bad command line: argument --JupyterHub.port: expected one argument"),
        (
            ["--port=3", "upgrade-db"],
            "Unrecognized command-line arguments: 'upgrade-db'; the command comes first: "
            "perijove upgrade-db [options]",
        ),
    ],
)
def test_unknown_words_are_named(argv: list[str], said: str) -> None:
    assert message(argv) == said


def test_writing_a_file_reads_none() -> None:
    write("jupyterhub_config.py", "1/0")
    assert load_hub(["--generate-config"]).hub.generate_config


# -- mistakes in the file -----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("import os\n1/0\n", 2, "ZeroDivisionError: division by zero"),
        ("def f():\n    raise ValueError('no')\n\n\nf()\n", 2, "ValueError: no"),
        ("a = (\n", 1, "SyntaxError: '(' was never closed"),
        ("\nimport no_such_module_at_all\n", 2, "ModuleNotFoundError"),
        ("import json\njson.loads('{')\n", 2, "JSONDecodeError"),
    ],
)
def test_an_error_in_the_file_is_told_with_its_line(
    workdir: Path, text: str, line: int, said: str
) -> None:
    write("bad.py", text)
    told = message(["-f", "bad.py"])
    assert told.startswith(f"ERROR: {workdir}/bad.py, line {line}: ")
    assert said in told


def test_an_error_in_a_part_of_the_file_is_told_with_that_part(workdir: Path) -> None:
    write("part.py", "\n\nboom\n")
    write("main.py", "load_subconfig('part.py')")
    assert message(["-f", "main.py"]).startswith(f"ERROR: {workdir}/part.py, line 3: NameError")


def test_a_file_may_end_the_process_itself() -> None:
    write("main.py", "raise SystemExit('not today')")
    with pytest.raises(SystemExit, match="not today"):
        load_hub(["-f", "main.py"])


# -- unknown options and wrong types ------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "c.JupyterHub.port = 'x'",
            "Bad config encountered during initialization: The 'port' trait of a JupyterHub "
            "instance expected an int, not the str 'x'.",
        ),
        (
            "c.Spawner.start_timeout = 'soon'",
            "Bad config encountered during initialization: The 'start_timeout' trait of a Spawner "
            "instance expected an int, not the str 'soon'.",
        ),
        (
            "c.JupyterHub.prot = 1",
            "c.JupyterHub.prot: there is no such option; did you mean 'port'?",
        ),
        (
            "c.Authenticator.alowed_users = {'a'}",
            "c.Authenticator.alowed_users: there is no such option; did you mean 'allowed_users'?",
        ),
        (
            "c.Spawner.defaulturl = '/lab'",
            "c.Spawner.defaulturl: there is no such option; did you mean 'default_url'?",
        ),
        (
            "c.ConfigurableHTTPProxy.comand = ['x']",
            "c.ConfigurableHTTPProxy.comand: there is no such option; did you mean 'command'?",
        ),
        ("c.Proxy.zzzzzz = 1", "c.Proxy.zzzzzz: there is no such option"),
        (
            "c.CryptKeeper.key = []",
            "c.CryptKeeper.key: there is no such option; did you mean 'keys'?",
        ),
        (
            "c.JupyterHub.extra_log_handlers = [__import__('logging').StreamHandler()]",
            "c.JupyterHub.extra_log_handlers holds something that cannot be copied (cannot pickle "
            "'_thread.RLock' object); give what can: text, numbers, a class or a function",
        ),
    ],
)
def test_a_mistake_in_a_known_class_stops_the_start(line: str, said: str) -> None:
    write("jupyterhub_config.py", line)
    assert message([]) == said


@pytest.mark.parametrize(
    "argv",
    [["--port=x"], ["--Spawner.start_timeout=x"], ["--JupyterHub.prot=3"], ["--Spawner.nope=1"]],
)
def test_the_command_line_is_checked_like_the_file(
    argv: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    told = message(argv)
    assert "Bad config" in told or "there is no such option" in told
    assert caplog.text == ""


@pytest.mark.parametrize(
    "line",
    [
        "c.JupyterHub.services = 's3cret'",
        "c.JupyterHub.cookie_secret = 's3cret'",
        "c.JupyterHub.cookie_secret = ['s3cret']",
        "c.JupyterHub.service_tokens = ['s3cret']",
        "c.ConfigurableHTTPProxy.auth_token = ['s3cret']",
        "c.DummyAuthenticator.password = ['s3cret']",
        "c.CryptKeeper.keys = 5",
    ],
)
def test_a_wrong_value_of_a_secret_option_is_not_shown(line: str) -> None:
    write("jupyterhub_config.py", line)
    told = message([])
    assert "s3cret" not in told or line.startswith("c.JupyterHub.services")
    option = line.split(" ")[0].rpartition(".")[2]
    assert option in told


def test_an_option_of_the_class_in_use_may_be_set_on_its_parents() -> None:
    write(
        "jupyterhub_config.py",
        "c.JupyterHub.spawner_class = 'simple'\nc.Spawner.home_dir_template = '/x/{username}'",
    )
    assert load_hub([]).warnings == ()


def test_options_of_a_class_that_is_not_in_use_are_checked_too() -> None:
    write("jupyterhub_config.py", "c.DummyAuthenticator.pasword = 'x'")
    assert "did you mean 'password'?" in message([])


def test_lists_and_dictionaries_can_be_added_to() -> None:
    write(
        "jupyterhub_config.py",
        "c.Spawner.args.append('--x')\nc.Spawner.environment.update({'A': 'b'})\n"
        "c.JupyterHub.services.append({'name': 'svc'})",
    )
    loaded = load_hub([])
    assert loaded.hub.services == [{"name": "svc"}]
    spawner = SimpleLocalProcessSpawner(config=loaded.config)
    assert (spawner.args, spawner.environment) == (["--x"], {"A": "b"})


def test_a_list_is_added_to_once_in_a_subclass_of_the_same_name() -> None:
    write("jupyterhub_config.py", "c.JupyterHub.services.append({'name': 'svc'})")
    JupyterHub.clear_instance()
    subclass = type("JupyterHub", (JupyterHub,), {})
    try:
        assert load_hub([], subclass).hub.services == [{"name": "svc"}]
    finally:
        subclass.clear_instance()


def test_an_unknown_class_is_only_a_warning_with_the_nearest_one() -> None:
    write("jupyterhub_config.py", "c.Spawnr.x = 1\nc.Zzzz.y = 2\nc.CloudSpawner.z = 3")
    near, far, other = load_hub([]).warnings
    assert near.startswith("c.Spawnr: no class of this name is in use (did you mean c.Spawner?)")
    assert far.startswith("c.Zzzz: no class of this name is in use;")
    assert other.startswith("c.CloudSpawner: no class of this name is in use;")


class HelperOfPlugin(Configurable):
    """Stands for a class that a plug-in uses besides its own."""

    size = Integer(1, help="a size").tag(config=True)


def test_a_plugins_helper_class_is_known_and_its_mistakes_are_warnings() -> None:
    write("jupyterhub_config.py", "c.HelperOfPlugin.size = 3")
    assert load_hub([]).warnings == ()
    write("jupyterhub_config.py", "c.HelperOfPlugin.sise = 3")
    assert load_hub([]).warnings == (
        "c.HelperOfPlugin.sise: there is no such option; did you mean 'size'?",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "c.JupyterHub.spawner_class = 'nope'",
            "spawner_class: 'nope' is neither an installed name",
        ),
        (
            "c.JupyterHub.spawner_class = 'no.such.Class'",
            "spawner_class = 'no.such.Class' cannot be",
        ),
        ("c.JupyterHub.spawner_class = 'dummy'", "spawner_class"),
        ("c.JupyterHub.authenticator_class = 5", "authenticator_class"),
        ("c.JupyterHub.proxy_class = 'json.JSONEncoder'", "proxy_class"),
    ],
)
def test_a_class_that_cannot_be_had_is_named(line: str, said: str) -> None:
    write("jupyterhub_config.py", line)
    assert said in message([])


def test_a_plugin_that_fails_to_import_is_told_with_its_error(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("broken_plugin_for_test.py", "import no_such_dependency")
    monkeypatch.syspath_prepend(str(workdir))
    write("jupyterhub_config.py", "c.JupyterHub.spawner_class = 'broken_plugin_for_test.S'")
    told = message([])
    assert "c.JupyterHub.spawner_class = 'broken_plugin_for_test.S' cannot be loaded" in told
    assert "No module named 'no_such_dependency'" in told


def test_deprecated_options_of_the_file_arrive_under_their_new_names() -> None:
    write(
        "jupyterhub_config.py", "c.JupyterHub.proxy_cmd = 'chp'\nc.JupyterHub.admin_users = {'a'}"
    )
    config = load_hub([]).config
    assert config.ConfigurableHTTPProxy.command == ["chp"]
    assert config.Authenticator.admin_users == {"a"}


def test_options_that_older_hubs_had_are_named_and_left_out() -> None:
    write(
        "jupyterhub_config.py",
        "c.JupyterHub.statsd_host = 'graphite'\nc.LocalProcessSpawner.set_user = 'sudo'",
    )
    loaded = load_hub([])
    assert loaded.warnings == (
        "c.JupyterHub.statsd_host has no effect any more: metrics are at /hub/metrics, for "
        "Prometheus",
        "c.LocalProcessSpawner.set_user has no effect any more: to start servers by sudo, use the "
        "package sudospawner",
    )
    assert "statsd_host" not in loaded.config.JupyterHub


def test_the_configuration_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    write("jupyterhub_config.py", "c.JupyterHub.port = 1234")
    load_hub(["--show-config-json"]).hub.start_show_config()
    assert json.loads(capsys.readouterr().out)["JupyterHub"]["port"] == 1234
    load_hub(["--show-config"]).hub.start_show_config()
    assert "jupyterhub_config.py" in capsys.readouterr().out


def test_a_log_file_that_cannot_be_opened_is_named() -> None:
    write("jupyterhub_config.py", "c.JupyterHub.extra_log_file = 'no/such/dir/log'")
    assert "extra_log_file 'no/such/dir/log' cannot be opened" in message([])


class WrappingSpawner(SimpleLocalProcessSpawner):
    """Stands for a spawner that hands its work to another one."""

    child_class = Type(Spawner, Spawner, help="the other one").tag(config=True)
    profiles = List(help="names of others").tag(config=True)


def test_options_meant_for_a_wrapped_class_are_only_warned_of() -> None:
    write(
        "jupyterhub_config.py",
        f"c.JupyterHub.spawner_class = '{__name__}.WrappingSpawner'\nc.Spawner.image = 'x'",
    )
    assert load_hub([]).warnings == ("c.Spawner.image: there is no such option",)


def test_the_loaded_hub_is_the_one_that_plugins_find() -> None:
    first = load_hub([]).hub
    second = load_hub([]).hub
    assert JupyterHub.instance() is second
    assert first is not second


def test_an_option_given_twice_is_refused_in_a_sentence() -> None:
    assert "only accepts one value" in message(["--JupyterHub.port=81", "--JupyterHub.port=82"])


def test_classes_that_a_wrapper_names_in_its_options_are_known(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        "wrapped_plugin_for_test.py",
        "from traitlets import Integer\n"
        "from perijove.plugins.local import SimpleLocalProcessSpawner\n"
        "class WrappedHere(SimpleLocalProcessSpawner):\n"
        "    cores = Integer(1).tag(config=True)\n",
    )
    monkeypatch.syspath_prepend(str(workdir))
    lines = (
        f"c.JupyterHub.spawner_class = '{__name__}.WrappingSpawner'\n"
        "c.WrappingSpawner.profiles = [('small', 'wrapped_plugin_for_test.WrappedHere', {})]\n"
    )
    write("jupyterhub_config.py", f"{lines}c.WrappedHere.cores = 3\n")
    assert load_hub([]).warnings == ()
    write("jupyterhub_config.py", f"{lines}c.WrappedHere.coers = 3\n")
    assert load_hub([]).warnings == (
        "c.WrappedHere.coers: there is no such option; did you mean 'cores'?",
    )


class RenamingSpawner(SimpleLocalProcessSpawner):
    """Stands for a spawner that takes an old name by itself."""

    size = Integer(1, help="a size").tag(config=True)
    old_size = property(lambda self: self.size)


def test_an_old_name_that_a_plugin_takes_by_itself_is_left_to_it() -> None:
    lines = f"c.JupyterHub.spawner_class = '{__name__}.RenamingSpawner'\n"
    write("jupyterhub_config.py", f"{lines}c.RenamingSpawner.old_size = 3\n")
    assert load_hub([]).warnings == ()
    write("jupyterhub_config.py", f"{lines}c.RenamingSpawner.older_size = 3\n")
    assert "there is no such option" in message([])
