"""C2PA manifests (https://c2pa.org) of opened pictures: where one comes from, for others' tools.

A manifest binds the bytes of a picture to what is said of it, and is signed by an X.509
certificate. That is another chain of trust than the camera's, which is no certificate and has long
ended its part when a picture is opened: whoever exports signs, and what that is worth is what the
reader's list of trust makes of the certificate. The proof stays the sealed shot beside it.

It lies beside the picture (`ID.c2pa`), whose bytes stay those that were sealed.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sealshot import __version__
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.seal.custody import Exhibit
from sealshot.runtime.seal.times import utc_now

ASSERTION = "sealshot.shot"
CREDENTIAL_LIMIT = 256 * 1024  # bytes

_MEDIA = {"jpg": "image/jpeg", "png": "image/png"}
_CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
_SETTINGS = {
    # of a small picture it would be a larger one, three times the size of the sealed shot
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_FITS = ("Valid", "Trusted")
_ONE_TIME = timedelta(days=365 * 30)


@dataclass(frozen=True, slots=True)
class Credential:
    """What signs manifests."""

    algorithm: str
    """Of C2PA: ``ed25519``, ``es256`` and others."""
    chain: bytes
    """Certificates, PEM, the signer's first."""
    key: bytes
    """Private, PEM."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a reader of C2PA found in a manifest that fits its picture."""

    signer: str
    is_trusted: bool
    """By the list of trust of c2pa-python."""


def read_credential(data: bytes) -> Credential:
    """Read a private key and the certificates of its signer out of one PEM file.

    Raises:
        SealError: it has not both, or they do not belong together.
    """
    try:
        key = serialization.load_pem_private_key(data, None)
        chain = x509.load_pem_x509_certificates(data)
        algorithm, public = _algorithm(key), chain[0].public_key()
    except UnsupportedAlgorithm:  # of a curve that nobody signs with
        algorithm, public = "", None
    except (ValueError, TypeError):  # TypeError: it has a passphrase
        raise SealError(
            "it is no PEM file with a private key without passphrase and its certificates",
            hint="put them in one file: the key, the signer's certificate, and those above it",
        ) from None
    if not algorithm:
        raise SealError(
            "C2PA does not sign with such a key", "take Ed25519, P-256, P-384, P-521 or RSA"
        )
    if key.public_key() != public:
        raise SealError(
            "its first certificate is of another key", "put the signer's certificate first"
        )
    return Credential(algorithm, b"".join(map(_pem, chain)), _private(key))


def one_time_credential() -> Credential:
    """Return a key for one export, with certificates that vouch for nobody, and say so."""
    root, key = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    issuer, subject = _name("root of a key made for one export"), _name("made for one export")
    email = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    top = _certificate(issuer, issuer, root, root, is_root=True).sign(root, None)
    leaf = _certificate(subject, issuer, key, root, is_root=False)
    chain = [leaf.add_extension(email, critical=False).sign(root, None), top]
    return Credential("ed25519", b"".join(map(_pem, chain)), _private(key))


def write_manifest(exhibit: Exhibit, credential: Credential) -> bytes:
    """Return the manifest of the picture of an exhibit.

    Raises:
        InputError: the package is missing, or refuses the certificates.
    """
    c2pa = _package()
    opened = exhibit.opened
    about = {
        "title": f"{exhibit.header.id}.{opened.metadata.picture}",
        "format": _MEDIA[opened.metadata.picture],
        "claim_generator_info": [{"name": "sealshot", "version": __version__}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": _CAPTURED,
                            **({"when": opened.metadata.utc} if _knows_when(exhibit) else {}),
                        }
                    ]
                },
            },
            {"label": ASSERTION, "data": _assertion(exhibit)},
        ],
    }
    try:
        signer = c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(credential.algorithm, credential.chain, credential.key, None)
        )
        with (
            signer,
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Builder(about, context=context) as builder,
        ):
            builder.set_no_embed()
            picture = io.BytesIO(opened.picture)
            return bytes(builder.sign(signer, about["format"], picture, io.BytesIO()))
    except c2pa.C2paError as error:
        raise InputError(
            f"c2pa-python does not sign with this certificate: {error}",
            hint="it takes one for documents or e-mail (extended key usage) that has not ended",
        ) from None


def check_manifest(manifest: bytes, exhibit: Exhibit) -> Manifest:
    """Check that a manifest is of the picture of an exhibit, and says what the evidence does.

    Raises:
        SealError: it is not, or does not.
        InputError: the package is missing.
    """
    c2pa = _package()
    media = _MEDIA[exhibit.opened.metadata.picture]
    try:
        with (
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Reader(
                media, io.BytesIO(exhibit.opened.picture), manifest, context=context
            ) as reader,
        ):
            state, results = reader.get_validation_state(), reader.get_validation_results()
            found = json.loads(reader.json())
    except c2pa.C2paError as error:
        raise SealError(f"it is no C2PA manifest: {error}") from None
    if state not in _FITS:
        failed = (one["code"] for one in results["activeManifest"]["failure"])
        raise SealError(f"a reader of C2PA finds it {str(state).lower()}: {', '.join(failed)}")
    active = found["manifests"][found["active_manifest"]]
    said = [one["data"] for one in active["assertions"] if one["label"] == ASSERTION]
    if said != [_assertion(exhibit)]:
        raise SealError("it says something else than the evidence")
    return Manifest(_signer(active["signature_info"]), state == "Trusted")


def is_installed() -> bool:
    """Whether c2pa-python is there."""
    return importlib.util.find_spec("c2pa") is not None


def _knows_when(exhibit: Exhibit) -> bool:
    """Whether a shot says when it was taken: of a recording it may not."""
    return exhibit.opened.metadata.clock != "processing"


def _assertion(exhibit: Exhibit) -> dict[str, object]:
    header, metadata = exhibit.header, exhibit.opened.metadata
    return {
        "id": header.id,
        "camera": header.camera,
        "camera_key": header.camera_key,
        "taken": metadata.utc,
        "clock": metadata.clock,
        "sealed_sha256": exhibit.sha256,
        "log_entry": exhibit.entry,
        "log_checkpoint": exhibit.note.decode(),
    }


def _signer(info: dict[str, Any]) -> str:
    names = (str(info.get(part) or "") for part in ("common_name", "issuer"))
    shown = ", ".join(name for name in names if name)
    return "".join(c for c in shown if c.isprintable())[:200] or "nobody"


def _package() -> Any:
    try:
        return importlib.import_module("c2pa")
    except ImportError:
        raise InputError(
            "C2PA manifests need c2pa-python, which is not installed",
            hint="pip install 'sealshot[c2pa]'",
        ) from None


def _algorithm(key: object) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        sizes = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
        return sizes.get(key.curve.name, "")
    return "ps256" if isinstance(key, rsa.RSAPrivateKey) else ""


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ed25519.Ed25519PrivateKey,
    signer: ed25519.Ed25519PrivateKey,
    *,
    is_root: bool,
) -> x509.CertificateBuilder:
    begin = utc_now() - timedelta(hours=1)  # a reader's clock may be behind
    usage = x509.KeyUsage(not is_root, False, False, False, False, is_root, is_root, False, False)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + _ONE_TIME)
        .add_extension(x509.BasicConstraints(is_root, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "nobody: not verified"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: Any) -> bytes:
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, *form))
