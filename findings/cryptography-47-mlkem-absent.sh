#!/usr/bin/env bash
# The cryptography package has ML-KEM and ML-DSA from version 47 on by its modules and its bundled OpenSSL 4.0,
# but the wheels of 47 refuse both; those of 48 are the first that compute them.
#
# Expected: `from ...asymmetric import mlkem` succeeds and OpenSSL 4.0 has ML-KEM, so a key can be made.
# Seen: 47.0.0 (OpenSSL 4.0.0): UnsupportedAlgorithm for ML-KEM-768 and ML-DSA-65. 48.0.0 (the same OpenSSL
# 4.0.0): both work. So a range that begins at 47 installs, imports and breaks at the first key.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in cryptography==47.0.0 cryptography==48.0.0; do
    version=${package#*==}
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install -q "$package"
    "$folder/$version/bin/python" - <<'PYTHON' | tee "$folder/$version.txt"
from cryptography import __version__
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem

print("cryptography", __version__, "with", backend.openssl_version_text())
for name, kind in (("ML-KEM-768", mlkem.MLKEM768PrivateKey), ("ML-DSA-65", mldsa.MLDSA65PrivateKey)):
    try:
        kind.generate()
        print(name, "works")
    except UnsupportedAlgorithm as error:
        print(name, "refused:", error)
PYTHON
done
if [ "$(grep -c refused "$folder/47.0.0.txt")" = 2 ] && [ "$(grep -c works "$folder/48.0.0.txt")" = 2 ]; then
    echo "as found"
else
    echo "changed"
    exit 1
fi
