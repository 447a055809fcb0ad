"""A certificate authority for one test: a root, an intermediate, and servers on 127.0.0.1 that they vouch for."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_PEM = Encoding.PEM


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _identified(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    """Name the certificate's key and its issuer's: RFC 5280 asks for both, and Python 3.13 insists on them."""
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    return builder.add_extension(subject, critical=False).add_extension(authority, critical=False)


class _Issuer:
    """A certificate with its key, which can sign others."""

    def __init__(self, name: str, issuer: "_Issuer | None" = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        self.certificate = self._sign(issuer or self)

    def _sign(self, issuer: "_Issuer") -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(issuer.name, self.name, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=30)).not_valid_after(now + timedelta(days=3650))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
        return _identified(builder, self.key, issuer.key).sign(issuer.key, SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(_PEM)


class Authority:
    """`write` gives its root to those who are to trust it; `serve` gives a server a certificate."""

    def __init__(self) -> None:
        self._root = _Issuer("Root of the tests")
        self._intermediate = _Issuer("Intermediate of the tests", self._root)

    def write(self, path: Path) -> str:
        path.write_bytes(self._root.pem)
        return str(path)

    def serve(self, *, days: int, chain: bool = True) -> ssl.SSLContext:
        """A server's side of TLS, valid for so many days; without `chain` it keeps the intermediate to itself."""
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateBuilder(
            self._intermediate.name, _name("127.0.0.1"), key.public_key(), x509.random_serial_number()
        )
        builder = builder.not_valid_before(now - timedelta(days=20)).not_valid_after(now + timedelta(days=days))
        names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        builder = _identified(builder.add_extension(names, critical=False), key, self._intermediate.key)
        certificate = builder.sign(self._intermediate.key, SHA256())
        pem = certificate.public_bytes(_PEM)
        if chain:
            pem += self._intermediate.pem + self._root.pem
        pem += key.private_bytes(_PEM, PrivateFormat.PKCS8, NoEncryption())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name)
        return context
