"""The command line: names, defaults, and what does not go together."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from perijove.proxy.arguments import make_parser
from perijove.proxy.options import Address, Options, read_options
from perijove.proxy.tls import SniFiles

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("PERIJOVE_TEST_PEERS", ROOT / ".cache" / "peers"))


def read(*words: str, **environ: str) -> Options:
    """Options of a command line."""
    return read_options(list(words), environ)


def test_without_options_the_defaults_of_configurable_http_proxy_apply() -> None:
    options = read()
    assert options.public == Address("", 8000)
    assert options.api == Address("localhost", 8001)
    assert options.metrics is None
    assert options.keep_alive_s == 5.0
    assert (options.timeout_s, options.proxy_timeout_s) == (0.0, 0.0)
    assert options.rules.x_forward
    assert options.rules.prepend_path
    assert options.rules.include_prefix
    assert not options.tls
    assert options.log_level == "info"


def test_the_hubs_command_line_is_understood() -> None:
    options = read(
        *["--ip", "127.0.0.1", "--port", "18300", "--api-ip", "127.0.0.1", "--api-port", "18301"],
        *[
            "--error-target",
            "http://127.0.0.1:8081/hub/error",
            "--log-level",
            "info",
            "--host-routing",
        ],
        *[
            "--api-ssl-key",
            "k",
            "--api-ssl-cert",
            "c",
            "--api-ssl-ca",
            "a",
            "--api-ssl-request-cert",
        ],
        *["--api-ssl-reject-unauthorized", "--client-ssl-key", "k", "--client-ssl-cert", "c"],
        *["--client-ssl-ca", "a", "--client-ssl-request-cert", "--client-ssl-reject-unauthorized"],
        CONFIGPROXY_AUTH_TOKEN="secret",
    )
    assert options.token == "secret"
    assert options.error_target is not None
    assert options.error_target.base == b"/hub/error"
    assert options.rules.by_host
    assert options.api_tls.request_cert
    assert options.api_tls.reject_unauthorized
    assert options.client_tls.ca == "a"


def test_the_api_port_follows_the_public_one() -> None:
    assert read("--port", "9000").api.port == 9001
    assert read("--socket", "/tmp/x").api.port == 8001
    assert read("--api-socket", "/tmp/y").api == Address(path="/tmp/y")
    assert read("--metrics-port", "1").metrics == Address("", 1)


def test_times_are_given_in_milliseconds() -> None:
    options = read("--timeout", "1500", "--proxy-timeout=250", "--keep-alive-timeout", "0")
    assert (options.timeout_s, options.proxy_timeout_s, options.keep_alive_s) == (1.5, 0.25, 0.0)


def test_rules_of_rewriting_are_read() -> None:
    rules = read(
        *["--no-x-forward", "--no-prepend-path", "--no-include-prefix", "--auto-rewrite"],
        *["--change-origin", "--protocol-rewrite", "https", "--custom-header", "a:b"],
        "--custom-header",
        "X-Two: with: colon ",
    ).rules
    assert not rules.x_forward
    assert not rules.prepend_path
    assert not rules.include_prefix
    assert rules.auto_rewrite
    assert rules.change_origin
    assert rules.protocol_rewrite == "https"
    assert rules.custom_headers == ((b"a", b"b"), (b"X-Two", b"with: colon"))


def test_passphrases_come_from_the_environment() -> None:
    options = read(CONFIGPROXY_SSL_KEY_PASSPHRASE="one", CONFIGPROXY_API_SSL_KEY_PASSPHRASE="two")
    assert (options.tls.passphrase, options.api_tls.passphrase) == ("one", "two")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--error-target http://a --error-path /b", "exclude each other"),
        ("--socket /a --port 1", "--socket excludes --ip and --port"),
        ("--api-socket /a --api-ip b", "--api-socket excludes --api-ip and --api-port"),
        ("--metrics-socket /a --metrics-port 1", "--metrics-socket excludes"),
        ("--redirect-port 80", "--redirect-port needs --ssl-key"),
        ("--storage-backend some-module", "--storage-backend"),
        ("--port x", "'x' is no port"),
        ("--port 70000", "'70000' is no port"),
        ("--timeout 1s", "no number of milliseconds"),
        ("--default-target nope", "Target must be a URL"),
        ("--error-target http://", "Target must name a host"),
        ("--custom-header nocolon", "is not NAME:VALUE"),
        ("--custom-header a\rb:c", "is not NAME:VALUE"),
        ("--log-level loud", "'loud' is none of"),
        ("--protocol-rewrite ftp", "neither http nor https"),
        ("--no-such-option", "unrecognized arguments"),
        ("--api-por 1", "unrecognized arguments"),
        ("stray", "unrecognized arguments"),
    ],
)
def test_wrong_options_end_with_one_sentence_and_status_1(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read(*words.split(" "))
    assert ended.value.code == 1
    message = capsys.readouterr().err
    assert sentence in message
    assert len(message.splitlines()) == 1


def test_help_and_version_end_with_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("--help", "--version", "-V"):
        with pytest.raises(SystemExit) as ended:
            read(word)
        assert ended.value.code == 0
        assert capsys.readouterr().out


NODE_PROXY = PEERS / "node_modules" / ".bin" / "configurable-http-proxy"
OURS = {
    "--access-log", "--drain-timeout", "--header-timeout", "--http2", "--max-body-bytes",
    "--max-connections", "--max-connections-per-address", "--proxy-protocol", "--snapshot",
    "--ssl-sni", "--trust-forwarded", "--workers",
}  # fmt: skip


def node_help() -> str:
    """What the peer's ``--help`` says."""
    if not NODE_PROXY.exists():
        text = f"{NODE_PROXY} is not installed (scripts/peer_venv.sh --proxy)"
        if os.environ.get("PERIJOVE_TEST_STRICT"):
            pytest.fail(text)
        pytest.skip(text)
    path = os.pathsep.join([str(PEERS / "node" / "bin"), os.environ["PATH"]])
    command = [str(NODE_PROXY), "--help"]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env={"PATH": path}
    ).stdout


def test_every_option_of_configurable_http_proxy_is_understood() -> None:
    taken = {
        word: bool(value)
        for word, value in re.findall(r"^ +(?:-\w, )?(--[\w-]+)( <)?", node_help(), re.MULTILINE)
    }
    assert len(taken) > 40
    actions = {
        option: action.nargs != 0
        for action in make_parser()._actions
        for option in action.option_strings
        if option.startswith("--")
    }
    assert {option: actions.get(option) for option in taken} == taken
    assert set(actions) - set(taken) == OURS


def test_our_own_options_are_read() -> None:
    options = read(
        *["--workers", "2", "--max-connections", "101", "--max-connections-per-address", "5"],
        *["--max-body-bytes", "7", "--header-timeout", "1500", "--drain-timeout", "60000"],
        *["--trust-forwarded", "none", "--proxy-protocol", "10.0.0.0/8", "--snapshot", "f"],
        *["--ssl-key", "k", "--ssl-cert", "c", "--ssl-sni", "a.test", "c2", "k2", "--http2"],
        *["--access-log", "-"],
    )
    limits = options.limits
    assert (options.workers, limits.connections, limits.connections_per_address) == (2, 51, 3)
    assert (limits.body_bytes, limits.head_s, limits.drain_s) == (7, 1.5, 60.0)
    assert b"127.0.0.1" not in options.rules.trusted
    assert options.proxy_protocol is not None
    assert b"10.1.1.1" in options.proxy_protocol
    assert options.tls.sni == (SniFiles("a.test", "c2", "k2"),)
    assert options.snapshot == Path("f")
    assert options.http2
    assert options.access_log == "-"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "0"], "from 1 to 64"),
        (["--workers", "x"], "no number"),
        (["--http2"], "--http2 needs --ssl-key"),
        (["--ssl-sni", "a", "b", "c"], "--ssl-sni needs --ssl-key"),
        (["--trust-forwarded", "everybody"], "everybody"),
        (["--proxy-protocol", "10.0.0.1/8"], "10.0.0.1/8"),
    ],
)
def test_wrong_values_of_our_own_options_are_named(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read(*words)
    assert ended.value.code == 1
    assert message in capsys.readouterr().err


def test_every_option_stands_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "proxy.md").read_text()
    families = {"--api-ssl-": "`--api-ssl-*`", "--client-ssl-": "`--client-ssl-*`"}
    for action in make_parser()._actions:
        for option in action.option_strings:
            if option in ("--help", "--version") or not option.startswith("--"):
                continue
            names = [name for start, name in families.items() if option.startswith(start)]
            assert any(f"{name}" in text for name in names or [f"`{option}"]), option
