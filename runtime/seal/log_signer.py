"""Who signs the lines of a log: its keeper's key, or one day's after another that it certified."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass, field

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.certificates import Certificate
from sealshot.runtime.seal.checkpoint import LogError, decode_base64
from sealshot.runtime.seal.entries import Entry, KeyChanged, read_entry
from sealshot.runtime.seal.merkle import Tree
from sealshot.runtime.seal.signing import SigningKey, VerifyKey, parse_verify_key

_KIND = b"sealshot/log/1\n"


@dataclass(frozen=True, slots=True)
class Alone:
    """Entries that no signed root covers: their own signatures say whose they are."""

    start: int
    stop: int
    key: VerifyKey


@dataclass(slots=True)
class Signer:
    """Whose key signs the next line of a log, as far as it was read."""

    name: str
    """Of the keeper of the log."""
    keeper: VerifyKey
    certificate: Certificate | None = None
    """Of the day's key that signs; None where the keeper's own does."""
    alone: list[Alone] = field(default_factory=list)
    _open: int = 0
    """The first entry that no root covers yet."""

    @property
    def key(self) -> VerifyKey:
        """What signs."""
        return self.certificate.key if self.certificate else self.keeper

    @property
    def day(self) -> str:
        """From when on that may sign; empty where the keeper's own key does."""
        return self.certificate.day if self.certificate else ""

    def verify(self, line: bytes, index: int) -> Entry:
        """Check the next line by its signature, and return what it says.

        Args:
            line: without its line feed.
            index: how many entries are before it.

        Raises:
            LogError: the keeper did not write it, or not there, or not then.
        """
        if is_signed(line, self.name, index, self.key):
            entry = read_line(line, index)
        else:
            entry = self._opening(line, index)
        self._follow(entry, index)
        return entry

    def pass_by(self, line: bytes, before: Tree) -> Entry:
        """Return what the next line says, and see which lines a signed root covers.

        Args:
            line: without its line feed.
            before: of the entries before it.

        Raises:
            LogError: it is no entry, or changes to a key or tells a time that cannot be.
        """
        index = before.size
        entry = read_line(line, index)
        if isinstance(entry, KeyChanged):
            if not is_signed(line, self.name, index, self.key):
                self._opening(line, index)
                self.end(index)
            if entry.root != before.root.hex():
                raise not_its_keepers(index)
            self._open = index + 1
        self._follow(entry, index)
        return entry

    def end(self, size: int, covered: int = 0) -> None:
        """Put what no root covers with what stands alone.

        Args:
            size: of the log, or of what the key of today signed of it.
            covered: by a checkpoint that the key of its last entry signed.
        """
        start = max(self._open, covered)
        if start < size:
            self.alone.append(Alone(start, size, self.key))

    def _opening(self, line: bytes, index: int) -> Entry:
        """Return the entry in which a day's key says that it signs from there on.

        Raises:
            LogError: it is none.
        """
        with suppress(LogError):
            entry = read_line(line, index)
            if isinstance(entry, KeyChanged):
                key = self._certificate(entry, index).key
                if is_signed(line, self.name, index, key):
                    return entry
        raise not_its_keepers(index)

    def _follow(self, entry: Entry, index: int) -> None:
        if isinstance(entry, KeyChanged):
            self.certificate = self._certificate(entry, index)
        if self.certificate and not self.certificate.may_sign(entry.time):
            raise LogError(
                f"entry {index + 1} of the log says {entry.time}, and is signed by the camera's "
                f"key of {self.certificate.day}, when that of before was destroyed",
                "whoever stole the camera may have written it: compare with a copy of the log",
            )

    def _certificate(self, entry: KeyChanged, index: int) -> Certificate:
        with suppress(SealError):
            certificate = certificate_in(entry)
            later = not self.certificate or certificate.day > self.certificate.day
            if later and certificate.is_of(self.keeper):
                return certificate
        raise LogError(
            f"entry {index + 1} of the log changes to a key that its keeper has not certified for "
            "that day",
            "compare with a copy of the log",
        )


def certificate_in(entry: KeyChanged) -> Certificate:
    """Return the certificate that an entry has; whose it is remains to be checked.

    Raises:
        SealError: it has no key.
    """
    key = parse_verify_key(entry.key)
    return Certificate(entry.day, key, decode_base64(entry.certificate.encode()))


def key_changed(certificate: Certificate, time: str, root: bytes) -> KeyChanged:
    """Return the entry that says: from the next one on this day's key signs."""
    signature = base64.b64encode(certificate.signature).decode()
    return KeyChanged(time, certificate.day, str(certificate.key), signature, root.hex())


def sign_line(text: bytes, name: str, index: int, key: SigningKey) -> bytes:
    """Return the line of an entry, without its line feed."""
    return text + b" " + base64.b64encode(key.sign(_message(name, index, text)))


def is_signed(line: bytes, name: str, index: int, key: VerifyKey) -> bool:
    """Whether a key signed a line, at its place in the log of that name."""
    text, _, signature = line.rpartition(b" ")
    return key.verifies(_message(name, index, text), decode_base64(signature))


def read_line(line: bytes, index: int) -> Entry:
    """Return what the line of one entry says; who wrote it remains to be checked.

    Raises:
        LogError: it is no entry.
    """
    try:
        return read_entry(line.rpartition(b" ")[0])
    except ValueError:
        raise LogError(
            f"entry {index + 1} of the log is signed, but is no entry",
            "its keeper's program is not sealshot, or was tampered with",
        ) from None


def _message(name: str, index: int, text: bytes) -> bytes:
    """Return what is signed of an entry."""
    return _KIND + f"{name}\n{index}\n".encode() + text


def not_its_keepers(index: int) -> LogError:
    """Return what is to be raised for a line that is not signed as it should be."""
    return LogError(
        f"entry {index + 1} of the log was altered, put in, or moved there",
        "compare with a copy of the log",
    )
