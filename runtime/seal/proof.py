"""Proof that a log has an entry, without the rest of the log (https://c2sp.org/tlog-proof).

The extra data of a proof is the line of the entry, which the tree has as its leaf, and the
certificate of the key that signed it where that was a day's.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.certificates import Certificate, parse_certificate
from sealshot.runtime.seal.checkpoint import Checkpoint, LogError, parse_checkpoint
from sealshot.runtime.seal.entries import Entry
from sealshot.runtime.seal.log_signer import Signer
from sealshot.runtime.seal.merkle import HASH_BYTES, root_of
from sealshot.runtime.seal.signing import VerifyKey

PROOF_LIMIT = 256 * 1024  # bytes

_HEAD = "c2sp.org/tlog-proof@v1"
_LONGEST = 63  # hashes
_ANEW = "have it written anew"


@dataclass(frozen=True, slots=True)
class Proof:
    """That the log of a checkpoint has a line at a place."""

    line: bytes
    index: int
    hashes: tuple[bytes, ...]
    """Beside the way from the leaf to the root, lowest first."""
    note: bytes
    """The checkpoint, as it was signed."""
    certificate: Certificate | None = None
    """Of the day's key that signed the line; None where the keeper's own did."""

    def encode(self) -> bytes:
        """Return the file form."""
        certificate = b"\n" + self.certificate.encode() if self.certificate else b""
        extra = base64.b64encode(self.line + certificate).decode()
        hashes = "".join(base64.b64encode(node).decode() + "\n" for node in self.hashes)
        return f"{_HEAD}\nextra {extra}\nindex {self.index}\n{hashes}\n".encode() + self.note

    def verify(self, key: VerifyKey) -> tuple[Checkpoint, Entry]:
        """Return what the keeper of the log signed: the state of it, and the entry.

        Raises:
            LogError: it is not proven.
        """
        checkpoint = parse_checkpoint(self.note, key)
        if self.certificate and not self.certificate.is_of(key):
            raise LogError("the key that signed its entry is not the keeper's", _ANEW)
        signer = Signer(checkpoint.name, key, self.certificate)
        entry = signer.verify(self.line, self.index)
        if signer.day > checkpoint.day:
            raise LogError("its checkpoint is signed by the key of a day before its entry", _ANEW)
        try:
            root = root_of(self.line, self.index, checkpoint.size, self.hashes)
        except ValueError as error:
            raise LogError(f"it proves nothing: {error}", _ANEW) from None
        if root != checkpoint.root:
            raise LogError("the log of its checkpoint has no such entry", _ANEW)
        return checkpoint, entry


def parse_proof(data: bytes) -> Proof:
    """Read a proof; nothing of it is verified.

    Raises:
        SealError: it is none, or its extra data is missing.
    """
    text, _, note = data[:PROOF_LIMIT].partition(b"\n\n")
    try:
        head, extra, index, *hashes = text.decode("ascii").split("\n")
        given = base64.b64decode(extra.removeprefix("extra "), validate=True)
        line, cut, certificate = given.partition(b"\n")
        nodes = tuple(base64.b64decode(node, validate=True) for node in hashes)
        number = int(index.removeprefix("index ")[:18])
        signer = parse_certificate(certificate) if cut else None
        proof = Proof(line, number, nodes, note, signer)
    except (SealError, ValueError, binascii.Error):
        raise _foreign() from None
    sizes = {len(node) for node in nodes}
    if head != _HEAD or len(nodes) > _LONGEST or sizes - {HASH_BYTES} or proof.encode() != data:
        raise _foreign()
    return proof


def _foreign() -> SealError:
    return SealError("it is not a proof of an entry in a log", hint=_ANEW)
