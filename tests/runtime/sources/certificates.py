"""Certificates of servers of the tests."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HERE = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
Issuer = tuple[x509.Name, ec.EllipticCurvePrivateKey]


def certificate(path: Path, names: tuple[x509.GeneralName, ...], issuer: Issuer | None) -> Issuer:
    """Write a certificate and its key; with no issuer it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
    authority, signing = issuer or (name, key)
    builder = x509.CertificateBuilder(
        authority,
        name,
        key.public_key(),
        x509.random_serial_number(),
        datetime.datetime(2020, 1, 1),
        datetime.datetime(2099, 1, 1),
    ).add_extension(x509.BasicConstraints(not names, None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(builder.sign(signing, hashes.SHA256()).public_bytes(Encoding.PEM) + secret)
    return name, key
