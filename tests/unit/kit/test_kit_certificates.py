"""The private authorities of internal_ssl: what is kept, what is made anew, who trusts whom."""

import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509

from perijove.kit import certificates
from perijove.kit.certificates import TRUST, ensure_pair, make_certificates, pair_of_service
from perijove.kit.tls import AUTHORITIES, HUB, SERVERS, SERVICES, Certificates, KeyPair


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(str(tmp_path_factory.mktemp("certs")), alt_names=["DNS:hub.test"])


def names_of(pair: KeyPair) -> list[str]:
    certificate = x509.load_pem_x509_certificate(Path(pair.certfile).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted(str(name.value) for name in names)


def test_every_kind_of_part_has_an_authority() -> None:
    assert set(TRUST) == set(AUTHORITIES)


def test_a_second_start_finds_everything_as_it_is(made: Certificates) -> None:
    before = {path: path.read_bytes() for path in Path(made.location).rglob("*.*")}
    assert make_certificates(made.location, alt_names=["DNS:hub.test"]) == made
    assert {path: path.read_bytes() for path in before} == before


def test_certificates_are_made_out_to_the_installations_names(made: Certificates) -> None:
    assert names_of(made.hub) == ["127.0.0.1", "hub.test", "localhost"]


def test_another_name_makes_a_new_pair(made: Certificates) -> None:
    first = ensure_pair(made.location, "user-ada", SERVERS, ["DNS:one.test"])
    key = Path(first.keyfile).read_bytes()
    assert ensure_pair(made.location, "user-ada", SERVERS, ["DNS:one.test"]) == first
    assert Path(first.keyfile).read_bytes() == key
    second = ensure_pair(made.location, "user-ada", SERVERS, ["DNS:two.test"])
    assert names_of(second) == ["two.test"]
    assert Path(second.keyfile).read_bytes() != key


def test_a_pair_that_ends_soon_or_is_damaged_is_made_anew(
    made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ensure_pair(made.location, "user-eve", SERVERS, ["DNS:one.test"])
    Path(pair.certfile).write_text("damaged")
    ensure_pair(made.location, "user-eve", SERVERS, ["DNS:one.test"])
    assert names_of(pair) == ["one.test"]
    key = Path(pair.keyfile).read_bytes()
    monkeypatch.setattr(certificates, "RENEW_BEFORE", certificates.timedelta(days=6 * 365))
    ensure_pair(made.location, "user-eve", SERVERS, ["DNS:one.test"])
    assert Path(pair.keyfile).read_bytes() != key


def test_new_authorities_sign_new_pairs(tmp_path: Path) -> None:
    first = make_certificates(str(tmp_path))
    bundle = Path(first.bundles[HUB]).read_bytes()
    assert make_certificates(str(tmp_path), anew=True) == first
    assert Path(first.bundles[HUB]).read_bytes() != bundle
    first.calling_context()  # the pair fits, or loading it fails


def test_an_authority_from_elsewhere_signs(made: Certificates, tmp_path: Path) -> None:
    elsewhere = Path(made.location) / SERVICES
    own = make_certificates(
        str(tmp_path),
        outside={
            SERVICES: {
                "key": str(elsewhere / f"{SERVICES}.key"),
                "cert": str(elsewhere / f"{SERVICES}.crt"),
            }
        },
    )
    pair = pair_of_service(own, "mirror")
    authority = x509.load_pem_x509_certificate((elsewhere / f"{SERVICES}.crt").read_bytes())
    signed = x509.load_pem_x509_certificate(Path(pair.certfile).read_bytes())
    signed.verify_directly_issued_by(authority)
    assert authority in x509.load_pem_x509_certificates(Path(own.bundles[HUB]).read_bytes())


@pytest.mark.parametrize("name", ["../../escaped", "a/b", "ü", "n" * 90])
def test_no_name_leaves_the_directory(made: Certificates, name: str) -> None:
    pair = pair_of_service(made, name)
    assert Path(pair.keyfile).resolve().parent.parent == Path(made.location).resolve()


def test_private_keys_are_for_the_owner_alone(made: Certificates) -> None:
    keys = list(Path(made.location).rglob("*.key"))
    assert len(keys) >= len(AUTHORITIES)
    assert {path.stat().st_mode & 0o077 for path in keys} == {0}


def test_many_threads_lose_no_pair(made: Certificates) -> None:
    users = [f"user-n{number}" for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        pairs = list(
            pool.map(lambda user: ensure_pair(made.location, user, SERVERS, ["DNS:t.test"]), users)
        )
    again = [ensure_pair(made.location, user, SERVERS, ["DNS:t.test"]) for user in users]
    assert again == pairs
    for pair in pairs:
        ssl.create_default_context().load_cert_chain(pair.certfile, pair.keyfile)
