#!/usr/bin/env bash
# The thumbnail that a C2PA manifest has by default is larger than a small picture: of 90x120 it is one of 768x1024.
#
# Expected: a thumbnail is smaller than its picture, or left out where the picture is as small as one; a manifest of
# some kilobytes.
# Seen (c2pa-python 0.38.1, c2pa-rs 0.91.3): the picture is enlarged until its longer side has 1024 pixels, so the
# manifest of a JPEG of 14 kB takes 150 kB, and holds the picture a second time, also where it is not embedded. With
# the setting builder.thumbnail.enabled=false it takes 3 kB. A setting that is misspelt is taken without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q c2pa-python==0.38.1 cryptography==48.* numpy==2.4.* opencv-python-headless==4.13.0.*
"$folder/venv/bin/python" - <<'PYTHON'
import datetime
import io
import json
import sys

import c2pa
import cv2
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def name(text):
    kinds = (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
    return x509.Name([x509.NameAttribute(kind, text) for kind in kinds])


root, key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
now = datetime.datetime.now(datetime.timezone.utc)
usage = (True, False, False, False, False, False, False, False, False)
certificate = (
    x509.CertificateBuilder(name("a root"), name("a signer"), key.public_key(), 1)
    .not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=9))
    .add_extension(x509.BasicConstraints(False, None), True)
    .add_extension(x509.KeyUsage(*usage), True)
    .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False)
    .sign(root, None)
)
pem = serialization.Encoding.PEM
private = key.private_bytes(
    pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
noise = np.random.default_rng(1).integers(0, 255, (120, 90, 3), np.uint8)
picture = cv2.imencode(".jpg", noise)[1].tobytes()
about = {
    "claim_generator_info": [{"name": "test", "version": "1"}],
    "format": "image/jpeg",
    "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [{
        "action": "c2pa.created",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
    }]}}],
}  # fmt: skip


def manifest(settings):
    info = c2pa.C2paSignerInfo("ed25519", certificate.public_bytes(pem), private, None)
    context = c2pa.Context.from_dict(settings)
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(about, context=context) as builder:
        builder.set_no_embed()
        return bytes(builder.sign(signer, "image/jpeg", io.BytesIO(picture), io.BytesIO()))


def thumbnail(data):
    with c2pa.Reader("image/jpeg", io.BytesIO(picture), data) as reader:
        read, found = json.loads(reader.json()), io.BytesIO()
        there = read["manifests"][read["active_manifest"]].get("thumbnail")
        if not there:
            return None
        reader.resource_to_stream(there["identifier"], found)
    return cv2.imdecode(np.frombuffer(found.getvalue(), np.uint8), 1).shape[:2]


default = manifest({})
misspelt = manifest({"builder": {"thumbnails": {"enabled": False}}})
without = manifest({"builder": {"thumbnail": {"enabled": False}}})
print("c2pa-rs", c2pa.sdk_version(), "picture", noise.shape[:2], len(picture), "bytes")
print("default:", len(default), "bytes, thumbnail", thumbnail(default))
print("builder.thumbnails misspelt:", len(misspelt), "bytes, thumbnail", thumbnail(misspelt))
print("builder.thumbnail off:", len(without), "bytes, thumbnail", thumbnail(without))
as_seen = (
    thumbnail(default) == (1024, 768)
    and thumbnail(misspelt) == (1024, 768)
    and thumbnail(without) is None
    and len(default) > 5 * len(picture) > 10 * len(without)
)
sys.exit(0 if as_seen else 1)
PYTHON
