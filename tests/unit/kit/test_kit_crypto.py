"""Hashes, signed values and encryption: what must match, and what must not."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.web import create_signed_value, decode_signed_value

from perijove.kit.crypto import Cipher, hash_token, matches_salted, sign_value, unsign_value

SECRET = b"s" * 32


def salted(token: str, rounds: int = 3, salt: str = "e7072ae7257755a4") -> str:
    digest = hashlib.sha512(salt.encode())
    for _ in range(rounds):
        digest.update(token.encode())
    return f"sha512:{rounds}:{salt}:{digest.hexdigest()}"


def test_a_hash_is_hex_sha256() -> None:
    assert hash_token("abc") == hashlib.sha256(b"abc").hexdigest()
    assert hash_token("\ud800")  # what a client sends may be no text at all


@given(token=st.text(min_size=1, max_size=64), rounds=st.integers(1, 20))
def test_an_imported_hash_matches_its_token_alone(token: str, rounds: int) -> None:
    try:
        stored = salted(token, rounds)
    except UnicodeEncodeError:
        return
    assert matches_salted(stored, token)
    assert not matches_salted(stored, token + "x")


@pytest.mark.parametrize(
    "stored",
    ["", "x", "a:b:c:d", "sha512:x:aa:bb", "nope:1:aa:bb", "sha512:1:ä:bb", "sha512:1:aa", ":::"],
)
def test_a_hash_in_another_form_matches_nothing(stored: str) -> None:
    assert not matches_salted(stored, "token")


@given(name=st.text(max_size=20), value=st.binary(max_size=200))
def test_signed_values_come_back(name: str, value: bytes) -> None:
    signed = sign_value(SECRET, name, value, 1000)
    assert unsign_value(SECRET, name, signed, 1, 1000) == value
    assert unsign_value(SECRET, name + "x", signed, 1, 1000) is None
    assert unsign_value(b"t" * 32, name, signed, 1, 1000) is None


@given(position=st.integers(0, 200), character=st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_value_is_refused(position: int, character: str) -> None:
    signed = sign_value(SECRET, "login", b"ada:session", 1000)
    position %= len(signed)
    changed = signed[:position] + character + signed[position + 1 :]
    expected = b"ada:session" if changed == signed else None
    assert unsign_value(SECRET, "login", changed, 1, 1000) == expected


@given(st.text(max_size=80))
def test_garbage_is_refused(text: str) -> None:
    assert unsign_value(SECRET, "login", text, 1, 1000) is None
    assert unsign_value(SECRET, "login", "2|" + text, 1, 1000) is None


def test_a_value_lives_for_its_days() -> None:
    signed = sign_value(SECRET, "login", b"v", 1000)
    assert unsign_value(SECRET, "login", signed, 1, 1000 + 86400) == b"v"
    assert unsign_value(SECRET, "login", signed, 1, 1000 + 86401) is None


def test_cookies_are_tornados_in_both_directions() -> None:
    secret = "k" * 32
    theirs = create_signed_value(secret, "login", "ada").decode()
    assert unsign_value(secret.encode(), "login", theirs, 31) == b"ada"
    ours = sign_value(secret.encode(), "login", b"ada")
    assert decode_signed_value(secret, "login", ours) == b"ada"


def test_what_was_encrypted_with_an_old_key_is_read_with_the_new_one_in_front() -> None:
    old, new = b"o" * 32, b"n" * 32
    sealed = Cipher([old]).encrypt({"token": "ä", "n": [1, None]})
    both = Cipher([new, old])
    assert both.decrypt(sealed) == {"token": "ä", "n": [1, None]}
    resealed = both.encrypt(both.decrypt(sealed))
    assert Cipher([new]).decrypt(resealed) == {"token": "ä", "n": [1, None]}
    with pytest.raises(ValueError, match="none of the configured keys"):
        Cipher([old]).decrypt(resealed)


@pytest.mark.parametrize("data", [b"", b"junk", b"\x80" * 100])
def test_what_no_key_opens_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        Cipher([b"k" * 32]).decrypt(data)


def test_without_keys_nothing_is_encrypted() -> None:
    cipher = Cipher([])
    with pytest.raises(ValueError, match="JUPYTERHUB_CRYPT_KEY"):
        cipher.encrypt({})
    with pytest.raises(ValueError, match="JUPYTERHUB_CRYPT_KEY"):
        cipher.decrypt(b"x")
