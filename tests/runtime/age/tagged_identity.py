"""An age plugin with private keys in software, where hardware would have them: for tests alone.

    age-plugin-NAME --age-plugin=identity-v1     https://c2sp.org/age-plugin

Its identities are `AGE-PLUGIN-NAME-1...` over a seed; it asks for the PIN "1234" where the seed
begins with a zero. What it does was written from the specifications, apart from the product.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealshot.runtime.age import bech32

NAME = "tagtest"
PIN = b"1234"


@dataclass(frozen=True)
class Tagged:
    """A P-256 key and an ML-KEM-768 key, both of one seed."""

    seed: bytes

    @property
    def identity(self) -> str:
        return bech32.encode(f"age-plugin-{NAME}-", self.seed).upper()

    @property
    def classical(self) -> str:
        return bech32.encode("age1tag", self._point(PublicFormat.CompressedPoint))

    @property
    def hybrid(self) -> str:
        mlkem = self._mlkem.public_key().public_bytes_raw()
        return bech32.encode("age1tagpq", mlkem + self._point(PublicFormat.UncompressedPoint))

    @property
    def _private(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(b"\x01" + self.seed[1:], "big"), ec.SECP256R1())

    @property
    def _mlkem(self) -> MLKEM768PrivateKey:
        return MLKEM768PrivateKey.from_seed_bytes(hashlib.sha512(self.seed).digest())

    def _point(self, form: PublicFormat) -> bytes:
        return self._private.public_key().public_bytes(Encoding.X962, form)

    def unwrap(self, kind: str, arguments: list[str], body: bytes) -> bytes | None:
        """Return the file key; None where the stanza is not for this key."""
        compressed = kind == "p256tag"
        if kind not in ("p256tag", "mlkem768p256tag"):
            return None
        tag, share = map(unpadded, arguments)
        assert (len(tag), len(share), len(body)) == (4, 65 if compressed else 1153, 32)
        forms = PublicFormat.CompressedPoint, PublicFormat.UncompressedPoint
        digest = hashlib.sha256(self._point(forms[not compressed])).digest()[:4]
        info = b"age-encryption.org/" + kind.encode()
        if hmac.digest(info, share + digest, "sha256")[:4] != tag:
            return None
        point, own = share[-65:], self._point(PublicFormat.UncompressedPoint)
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        exchanged = self._private.exchange(ec.ECDH(), peer)
        if compressed:
            suite, kem = b"HPKE\x00\x10\x00\x01\x00\x03", b"KEM\x00\x10"
            shaken = extract(b"", kem, b"eae_prk", exchanged)
            secret = expand(shaken, kem, b"shared_secret", point + own, 32)
        else:
            suite = b"HPKE\x00\x50\x00\x01\x00\x03"
            lattice = self._mlkem.decapsulate(share[:-65])
            secret = hashlib.sha3_256(lattice + exchanged + point + own + b"MLKEM768-P256").digest()
        hashes = extract(b"", suite, b"psk_id_hash", b""), extract(b"", suite, b"info_hash", info)
        context = b"\x00" + b"".join(hashes)
        scheduled = extract(secret, suite, b"secret", b"")
        aead = ChaCha20Poly1305(expand(scheduled, suite, b"key", context, 32))
        nonce = expand(scheduled, suite, b"base_nonce", context, 12)
        try:
            return aead.decrypt(nonce, body, None)
        except InvalidTag:
            return None


def extract(salt: bytes, suite: bytes, label: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")


def expand(key: bytes, suite: bytes, label: bytes, context: bytes, size: int) -> bytes:
    labeled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
    return hmac.digest(key, labeled + b"\x01", "sha256")[:size]


def unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def read() -> Iterator[tuple[list[str], bytes]]:
    """Yield commands: arguments and body."""
    while line := sys.stdin.readline():
        arguments, body = line.removeprefix("-> ").split(), ""
        while True:
            part = sys.stdin.readline().rstrip("\n")
            body += part
            if len(part) < 64:
                break
        yield arguments, unpadded(body)


def send(*arguments: str, body: bytes = b"") -> None:
    text = base64.b64encode(body).decode().rstrip("=")
    lines = [text[at : at + 64] for at in range(0, len(text) + 1, 64)]
    print("-> " + " ".join(arguments), *lines, sep="\n", flush=True)


def main() -> None:
    commands = read()
    keys: list[Tagged] = []
    stanzas: list[tuple[str, list[str], bytes]] = []
    for (command, *arguments), body in commands:
        if command == "done":
            break
        if command == "add-identity":
            keys.append(Tagged(bech32.decode(arguments[0])[1]))
        if command == "recipient-stanza":
            stanzas.append((arguments[1], arguments[2:], body))
    send("grease-of-tests", "argument", body=b"x" * 100)
    assert next(commands)[0] == ["unsupported"]
    for key in keys:
        if key.seed[:1] == b"\x00":
            send("request-secret", body=b"the PIN")
            (answer, *_), pin = next(commands)
            if answer != "ok" or pin != PIN:
                send("error", "identity", "0", body=b"the PIN is wrong")
                next(commands)
                break
        send("msg", body=b"touch the key")
        next(commands)
        for stanza in stanzas:
            if (file_key := key.unwrap(*stanza)) is not None:
                send("file-key", "0", body=file_key)
                next(commands)
                send("done")
                return
    send("done")


if __name__ == "__main__":
    main()
