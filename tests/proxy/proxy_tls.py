"""Keys and certificates for tests."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from perijove.proxy.tls import TlsFiles


@dataclass(frozen=True)
class Authority:
    """A certificate authority, one certificate for 127.0.0.1, and a stranger's authority."""

    ca: str
    cert: str
    key: str
    locked_key: str
    stranger_ca: str
    signer: ec.EllipticCurvePrivateKey

    def pair_for(self, directory: Path, name: str) -> tuple[str, str]:
        """Files with another certificate, for ``name``, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert_file, key_file = directory / f"{name}.crt", directory / f"{name}.key"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        cert_file.write_bytes(certificate(name, key, "authority", self.signer))
        return str(cert_file), str(key_file)

    @property
    def pair(self) -> TlsFiles:
        """Key and certificate."""
        return TlsFiles(key=self.key, cert=self.cert)

    def client(self, *, with_cert: bool = False) -> ssl.SSLContext:
        """A context that trusts the authority."""
        context = ssl.create_default_context(cafile=self.ca)
        if with_cert:
            context.load_cert_chain(self.cert, self.key)
        return context

    def server(self, *, ask: bool = False) -> ssl.SSLContext:
        """A context for a server, which may ask for the client's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if ask:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
) -> bytes:
    """A certificate in PEM form for 127.0.0.1, localhost and ``name``."""
    subject, issued_by = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)
    )
    now = datetime.now(UTC)
    is_ca = name == issuer
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issued_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
        )
    )
    if not is_ca:
        names: list[x509.GeneralName] = [x509.IPAddress(ip_address("127.0.0.1"))]
        names += [x509.DNSName("localhost"), x509.DNSName(name)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def make_authority(directory: Path) -> Authority:
    """Fresh keys and certificates."""
    ca_key, key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))

    def write(name: str, data: bytes) -> str:
        (directory / name).write_bytes(data)
        return str(directory / name)

    def pem(encryption: serialization.KeySerializationEncryption) -> bytes:
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    return Authority(
        ca=write("ca.pem", certificate("authority", ca_key, "authority", ca_key)),
        cert=write("cert.pem", certificate("server", key, "authority", ca_key)),
        key=write("key.pem", pem(serialization.NoEncryption())),
        locked_key=write("locked.pem", pem(serialization.BestAvailableEncryption(b"pass phrase"))),
        stranger_ca=write("other.pem", certificate("other", other, "other", other)),
        signer=ca_key,
    )
