#!/usr/bin/env bash
# PyAV's wheel, told to verify a TLS certificate, knows no authority on a system that is not of Red Hat's family.
#
# Expected: tls_verify=1 takes the certificates of the system, as OpenSSL and Python do: what the system trusts opens.
# Seen (av 18.1.0, manylinux wheel): its GnuTLS was built with one list of authorities, /etc/pki/tls/cert.pem, and asks
# neither SSL_CERT_FILE nor /etc/ssl/certs. Where that file is absent (Debian, Ubuntu, JetPack, Alpine) each certificate
# is refused, as "Input/output error"; with ca_file the same one opens, and its name is checked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.* cryptography==49.*
cd "$folder"
SSL_CERT_FILE=$folder/ca.pem venv/bin/python - <<'PYTHON'
import datetime
import functools
import http.server
import os
import re
import ssl
import sys
import threading
import urllib.request
from pathlib import Path

import av
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def certificate(name, names, issuer=None):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name.from_rfc4514_string(f"CN={name}")
    by, by_key = issuer or (subject, key)
    dates = datetime.datetime(2020, 1, 1), datetime.datetime(2099, 1, 1)
    made = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number(), *dates)
    made = made.add_extension(x509.BasicConstraints(not names, None), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), critical=False)
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    else:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = made.add_extension(usage, critical=True)
    pem = made.sign(by_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (subject, key), pem, pem + secret


authority, ca, _ = certificate("authority", [])
Path("ca.pem").write_bytes(ca)
Path("here.pem").write_bytes(certificate("here", ["localhost"], authority)[2])
Path("there.pem").write_bytes(certificate("there", ["there.example"], authority)[2])
with av.open("clip.avi", "w") as out:
    stream = out.add_stream("mjpeg", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
    for level in range(10):
        picture = np.full((48, 64, 3), 20 * level, np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
    out.mux(stream.encode(None))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(name):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory="."))
    server.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://localhost:{server.server_port}/clip.avi"


def frames(address, **options):
    try:
        with av.open(address, options=options, timeout=10) as source:
            return f"{sum(1 for _ in source.decode(video=0))} frames"
    except OSError as error:
        return os.strerror(error.errno)


here, there = serve("here.pem"), serve("there.pem")
library = next((Path(av.__file__).parent.parent / "av.libs").glob("libgnutls*"))
print("av", av.__version__, "its list:", *re.findall(rb"/etc/[ -~]*cert[ -~]*", library.read_bytes()))
with urllib.request.urlopen(here) as answer:  # by SSL_CERT_FILE
    print("Python:", answer.status)
seen = {
    "verified by the system": frames(here, tls_verify="1"),
    "verified by ca_file": frames(here, tls_verify="1", ca_file="ca.pem"),
    "of another name, by ca_file": frames(there, tls_verify="1", ca_file="ca.pem"),
}
for what, result in seen.items():
    print(f"{what}: {result}")
sys.exit(0 if list(seen.values()) == ["Input/output error", "10 frames", "Input/output error"] else 1)
PYTHON
