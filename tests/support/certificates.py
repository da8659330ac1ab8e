"""Certificates for servers on this machine. Valid by the system clock, which TLS libraries use."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key as two PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _named("a test", key).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(PEM))
    (folder / "key.pem").write_bytes(_private(key))
    return folder / "cert.pem", folder / "key.pem"


def mail_server_certificate(file: Path) -> Path:
    """Write a certificate for 127.0.0.1 that a client can be configured to trust, and its key, to one PEM file."""
    file.write_bytes(b"".join(_trustworthy(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))))
    return file


def web_server_certificate(name: str, file: Path, key_file: Path) -> None:
    """A certificate for a host name that a client can be given to trust, and its key, as two PEM files."""
    certificate, key = _trustworthy(x509.DNSName(name))
    file.write_bytes(certificate)
    key_file.write_bytes(key)


def _trustworthy(holder: x509.GeneralName) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _named("a server", key).add_extension(x509.SubjectAlternativeName([holder]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(PEM), _private(key)


def _named(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now, subject = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return x509.CertificateBuilder(
        subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(days=1),
        now + timedelta(days=1),
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
