"""The hub's secrets: their sources, their order, and how they are kept."""

import base64
import stat
from pathlib import Path

import pytest

from perijove.config.secrets import load_cookie_secret, read_crypt_keys
from perijove.domain.errors import ConfigError

KEY = bytes(range(32))


def test_a_missing_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    first = load_cookie_secret(None, str(file))
    assert len(first) == 32
    assert load_cookie_secret(None, str(file)) == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_look_writes_nothing(tmp_path: Path) -> None:
    load_cookie_secret(None, str(tmp_path / "secret"), create=False)
    assert list(tmp_path.iterdir()) == []


def test_configuration_comes_before_environment_before_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("cc" * 32)
    file.chmod(0o600)
    environment = "bb" * 32
    assert load_cookie_secret(b"a" * 32, str(file), environment=environment) == b"a" * 32
    assert load_cookie_secret(None, str(file), environment=environment) == b"\xbb" * 32
    assert load_cookie_secret(None, str(file)) == b"\xcc" * 32


def test_a_secret_in_base64_of_old_is_still_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(base64.b64encode(KEY).decode() + "\n")
    file.chmod(0o600)
    assert load_cookie_secret(None, str(file)) == KEY


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_file_open_to_everybody_stops_the_start(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_text("cc" * 32)
    file.chmod(mode)
    with pytest.raises(ConfigError, match="read or written by anybody") as caught:
        load_cookie_secret(None, str(file))
    assert "cccc" not in caught.value.message


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_file_of_owner_or_group_is_accepted(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "secret"
    file.write_text("cc" * 32)
    file.chmod(mode)
    assert load_cookie_secret(None, str(file)) == b"\xcc" * 32


@pytest.mark.parametrize("content", ["", "no secret!", "abc"])
def test_a_file_without_a_secret_stops_the_start(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="does not hold a secret"):
        load_cookie_secret(None, str(file))


def test_an_environment_variable_that_is_no_secret_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="JPY_COOKIE_SECRET is not hexadecimal"):
        load_cookie_secret(None, str(tmp_path / "s"), environment="zz")


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot write the cookie_secret_file"):
        load_cookie_secret(None, str(tmp_path / "missing" / "secret"))


def test_a_short_secret_is_warned_of_and_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_cookie_secret(b"shortie", str(tmp_path / "s")) == b"shortie"
    assert "has 7 bytes" in caplog.text
    assert "shortie" not in caplog.text


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        KEY.hex(),
        KEY.hex().upper(),
        f" {KEY.hex()}\n",
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY),
    ],
)
def test_a_key_may_be_raw_hexadecimal_or_base64(key: object) -> None:
    assert read_crypt_keys([key]) == (KEY,)


@pytest.mark.parametrize("key", ["", "short", "zz" * 32, b"x" * 31, 5, None, KEY.hex()[:-1]])
def test_a_bad_key_is_counted_and_not_shown(key: object) -> None:
    with pytest.raises(ConfigError, match="Encryption key 2 of 2") as caught:
        read_crypt_keys([KEY, key])
    if key:
        assert str(key) not in caught.value.message.replace("32", "").replace("256", "")
