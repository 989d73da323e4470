"""The configurations of examples/gallery, read with the real plug-ins installed."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from system import program

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
GALLERY = EXAMPLES / "gallery"
HOW_TO = sorted((EXAMPLES / "deploy").glob("*/jupyterhub_config.py"))
UNIT = EXAMPLES / "deploy" / "one-machine" / "perijove.service"
CONFIGURATIONS = sorted(GALLERY.glob("*.py"))


def test_there_are_at_least_a_dozen_and_each_has_a_line_in_the_index() -> None:
    assert len(CONFIGURATIONS) >= 12
    index = (GALLERY / "README.md").read_text()
    assert [path.name for path in CONFIGURATIONS if f"`{path.name}`" not in index] == []


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A key and a certificate, in the variables that configurations take them from."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.science.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "crt").write_bytes(made.public_bytes(pem))
    (folder / "key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {"HUB_KEY": str(folder / "key"), "HUB_CERT": str(folder / "crt")}


@pytest.mark.parametrize(
    "path",
    [*CONFIGURATIONS, *HOW_TO],
    ids=lambda path: path.stem if path.parent == GALLERY else f"how-to {path.parent.name}",
)
def test_a_configuration_is_good_without_a_warning(
    path: Path, plugins: Path, certificate: dict[str, str], tmp_path: Path
) -> None:
    told = subprocess.run(
        [plugins / "perijove", "check-config", "-f", path],
        cwd=tmp_path,
        env={**os.environ, **certificate, "JUPYTERHUB_CRYPT_KEY": "ab" * 32},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "warning" not in told.stdout.lower() + told.stderr.lower(), told.stdout + told.stderr
    assert "OK: the hub would start" in told.stdout
    assert not list(tmp_path.iterdir()), "check-config wrote something"


def test_the_unit_of_the_how_to_is_valid_and_locked_down() -> None:
    analyze = program("systemd-analyze", "systemd")
    # The paths of the unit are those of a machine that the how-to was followed on.
    checked = subprocess.run([analyze, "verify", UNIT], capture_output=True, text=True, timeout=60)
    told = [
        line for line in checked.stderr.splitlines() if "perijove" in line and "/opt/" not in line
    ]
    assert told == [], checked.stderr
    exposure = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=40", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert exposure.returncode == 0, exposure.stdout[-500:]
