"""``check-config``: what it finds, what it prints, and that it changes nothing."""

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from perijove.config.check import check_config


def check(text: str, *argv: str) -> tuple[int, str]:
    Path("jupyterhub_config.py").write_text(text)
    stream = io.StringIO()
    code = check_config(argv, console=Console(file=stream, width=200, highlight=False))
    return code, stream.getvalue()


GOOD = "c.JupyterHub.authenticator_class = 'dummy'\nc.Authenticator.allow_all = True\n"


def test_a_good_configuration_is_summed_up_and_nothing_is_written(workdir: Path) -> None:
    code, out = check(
        GOOD
        + "c.JupyterHub.db_url = 'postgresql://u:pa55@h/d'\n"
        + "c.JupyterHub.services = [{'name': 'svc', 'url': 'http://127.0.0.1:1'}]\n"
    )
    assert code == 0
    assert "OK" in out
    assert "DummyAuthenticator" in out
    assert "svc" in out
    assert "pa55" not in out
    assert "warning" not in out
    assert [path.name for path in workdir.iterdir()] == ["jupyterhub_config.py"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("c.JupyterHub.prot = 1", "did you mean 'port'?"),
        ("c.JupyterHub.port = 'x'", "expected an int"),
        ("1/0", "line 3: ZeroDivisionError"),
        ("c.JupyterHub.load_roles = [{'name': 'abc', 'scope': []}]", "there is no key 'scope'"),
        ("c.JupyterHub.ssl_key = c.JupyterHub.ssl_cert = 'no.pem'", "ssl_cert: no.pem cannot be"),
        ("c.JupyterHub.cookie_secret_file = '.'", "Refusing to start"),
        ("c.Proxy.extra_routes = {'/': 'http://127.0.0.1:1'}", "the route of the hub itself"),
    ],
)
def test_a_configuration_that_would_not_start_is_refused(line: str, said: str) -> None:
    code, out = check(f"{GOOD}{line}\n")
    assert code == 1
    assert said in out
    assert "OK" not in out


def test_warnings_are_shown_once_and_do_not_count_as_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out = check(f"{GOOD}c.JupyterHub.proxy_cmd = 'x'\nc.Spawnr.a = 1\n")
    assert code == 0
    assert out.count("proxy_cmd is deprecated") == 1
    assert "did you mean c.Spawner?" in out
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("template_paths = ['no/dir']", "template_paths: no/dir is no directory"),
        ("data_files_path = '/no/data'", "data_files_path: /no/data/templates is no directory"),
        ("logo_file = 'no.svg'", "logo_file: no.svg cannot be read"),
    ],
)
def test_missing_files_of_pages_are_told_and_do_not_hinder_a_start(line: str, said: str) -> None:
    code, out = check(f"{GOOD}c.JupyterHub.{line}\n")
    assert code == 0
    assert f"warning c.JupyterHub.{said}" in out


def test_an_authenticator_that_refuses_is_told() -> None:
    code, out = check(
        GOOD + "from perijove.plugins.simple_auth import DummyAuthenticator\n"
        "class Picky(DummyAuthenticator):\n"
        "    def __init__(self, **kwargs):\n"
        "        raise ValueError('set c.Picky.client_id')\n"
        "c.JupyterHub.authenticator_class = Picky\n"
    )
    assert code == 1
    assert "Picky refuses the configuration: set c.Picky.client_id" in out


def test_text_of_the_configuration_is_not_markup() -> None:
    code, out = check(GOOD + "c.JupyterHub.services = [{'name': '[red]x'}]\n")
    assert code == 0
    assert "[red]x" in out


def test_logging_is_as_before() -> None:
    before = [logging.getLogger(name).propagate for name in ("JupyterHub", "perijove")]
    check(GOOD)
    after = [logging.getLogger(name).propagate for name in ("JupyterHub", "perijove")]
    assert before == after
