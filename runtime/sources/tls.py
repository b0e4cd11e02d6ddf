"""Streams over TLS: FFmpeg verifies no certificate unless it is told to, and told whom to believe.

The FFmpeg of PyAV's wheels looks for certificate authorities where Red Hat keeps them, and nowhere
else; so the list of this system is found here.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sealshot.runtime.errors import InputError

if TYPE_CHECKING:
    import ssl

PORTS = {"https": 443, "rtsps": 322, "rtmps": 443, "tls": 443}
"""Addresses whose stream comes over TLS, and their ports."""
UNVERIFIED = " (TLS not verified)"
"""At the end of the name of a source, and so inside of each shot."""
STORES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, JetPack, Yocto
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
)
EXPLAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom streams over TLS are believed."""

    verify: bool = True
    ca_file: Path | None = None
    """Certificates (PEM) of authorities, or of the camera itself; None takes the system's."""


SYSTEM = Tls()
"""Believe whom the system believes."""


def is_tls(address: str) -> bool:
    """Whether a stream comes over TLS."""
    return _scheme(address) in PORTS


def ffmpeg_options(address: str, tls: Tls) -> dict[str, str]:
    """Return what FFmpeg must be told to open an address.

    Raises:
        InputError: there are no authorities to verify by.
    """
    if not is_tls(address):
        return {}
    if not tls.verify:
        return {"tls_verify": "0"}
    return {
        "tls_verify": "1",
        "ca_file": str(_store(tls).absolute()),  # what reads it is in another folder
        # no way from a stream that is verified to one that is not
        "protocol_whitelist": f"{_scheme(address)},tls,tcp,httpproxy",
    }


def check_tls(address: str, tls: Tls) -> None:
    """Raise InputError where what was said of TLS has no meaning for a source, or no use."""
    if not is_tls(address):
        if tls != SYSTEM:
            raise InputError(
                "the source is no address with TLS, so there is nothing to verify",
                hint="leave --ca-file and --tls-unverified out; a GStreamer pipeline verifies by "
                "its own tls-validation-flags",
            )
    elif not tls.verify and tls.ca_file:
        raise InputError(
            "--ca-file says whom to believe, and --tls-unverified to believe everybody",
            hint="leave one of them out",
        )
    elif tls.verify:
        _context(tls)


def distrust(address: str, tls: Tls) -> str:
    """Ask a server for its certificate, and return what is wrong with it, or nothing."""
    if not is_tls(address) or not tls.verify:
        return ""
    import ssl

    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or PORTS[_scheme(address)]
        with (
            socket.create_connection((host, port), EXPLAIN_S) as connection,
            _context(tls).wrap_socket(connection, server_hostname=host),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.rstrip(".").partition(" '")[0]  # then comes the certificate
        return f"its certificate is not to be trusted: {why}"
    except (OSError, ValueError):
        return ""


def _scheme(address: str) -> str:
    return address.partition("://")[0].lower()


def _context(tls: Tls) -> ssl.SSLContext:
    import ssl

    store = _store(tls)
    try:
        return ssl.create_default_context(cafile=store)
    except OSError as error:  # SSLError is one
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise InputError(
            f"the certificates {store} cannot be read: {why}", hint="give a file of PEM"
        ) from None


def _store(tls: Tls) -> Path:
    if tls.ca_file:
        return tls.ca_file
    given = os.environ.get("SSL_CERT_FILE")
    for path in map(Path, (given,) if given else STORES):
        if path.is_file():
            return path
    raise InputError(
        f"SSL_CERT_FILE names no file: {given}"
        if given
        else "this system has no list of certificate authorities",
        hint="install the package ca-certificates, or give the camera's certificate with --ca-file",
    )
