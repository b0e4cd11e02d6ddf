"""Forward-secure signatures of a camera: each day has a key, and those of past days are destroyed.

Krawczyk's construction ("Simple forward-secure signatures from any signature scheme", CCS 2000)
over Ed25519: at its enrolment a camera makes the keys of all days to come, certifies them by the
enrolled key, and forgets that one and all secrets but the seed of the first day. A seed gives the
key of its day and the seed of the next day, and no way leads back (Bellare and Yee,
"Forward-security in private-key cryptography", CT-RSA 2003).

    camera.key     the seed of today, and the key of checkpoints; overwritten when a day is over
    camera.days    the certificates of all days: nothing in it is secret

Whoever steals both signs from that day on as the camera would, and nothing of the days before.
"""

from __future__ import annotations

import base64
import fcntl
import os
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from sealshot.runtime.age import bech32
from sealshot.runtime.age.age import derive_key
from sealshot.runtime.errors import SealError
from sealshot.runtime.files import write_new
from sealshot.runtime.seal.certificates import (
    DAY_BYTES,
    Certificate,
    CheckpointKey,
    Today,
    certify_checkpoints,
    certify_day,
    certify_last,
    is_last,
    signs_checkpoints,
)
from sealshot.runtime.seal.checkpoint import decode_base64
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.keys import KEY_FILE_LIMIT, warn_of_readers
from sealshot.runtime.seal.signing import SigningKey, VerifyKey, parse_signing_key, parse_verify_key
from sealshot.runtime.seal.times import epoch_of

KEY, DAYS = "camera.key", "camera.days"
DAYS_AHEAD = 5479
"""Fifteen years: longer than a camera lasts, and a second of work when it is enrolled."""
SEED_PREFIX = "sealshot-day-key-"
SEED_BYTES = 32

_DAYS_LIMIT = 4 * 1024 * 1024  # bytes; fifteen years take 0.5 MB
_DAY_INFO, _NEXT_INFO = b"sealshot/key of the day/1", b"sealshot/seed of the next day/1"
_CHECKPOINTS, _LAST = "checkpoint", "last"
_HEAD_LINES = 3
_FIRST = date(1970, 1, 1)
_AGAIN = "`sealshot camera enrol DIR --again OLD.pub` gives the camera new keys"


@dataclass(frozen=True, slots=True)
class Seed:
    """The secret of a day: it gives its key, and the seeds of the days after it."""

    number: int
    """Of the day, counted from 1970-01-01."""
    secret: bytes = field(repr=False)

    @property
    def day(self) -> str:
        """The day, in UTC."""
        return (_FIRST + timedelta(self.number)).isoformat()

    @property
    def key(self) -> SigningKey:
        """What signs on this day."""
        return SigningKey(derive_key(self.secret, salt=b"", info=_DAY_INFO))

    def next(self) -> Seed:
        """Return the seed of the day after."""
        return Seed(self.number + 1, derive_key(self.secret, salt=b"", info=_NEXT_INFO))

    def secret_text(self) -> str:
        """Return the ``SEALSHOT-DAY-KEY-1...`` form. Whoever has it signs from its day on."""
        data = self.number.to_bytes(4, "big") + self.secret
        return bech32.encode(SEED_PREFIX, data).upper()


class DayKeys:
    """The keys of a camera, which turn with the days.

    Args:
        folder: of the camera.

    Raises:
        SealError: its files cannot be read, or do not belong together.
    """

    verify_key: VerifyKey
    """The enrolled key, which certified all others: what the camera is known by."""
    checkpoint_key: CheckpointKey
    last: str
    """The last day that has a key of its own: it is that of the days after it, too."""
    today: Today

    def __init__(self, folder: Path) -> None:
        self._file = folder / KEY
        data = read_file(self._file, "signing key", KEY_FILE_LIMIT)
        warn_of_readers(self._file, self._file.stat().st_mode, data)
        self._seed = _newest(_slots(data))
        try:
            self._days = read_file(folder / DAYS, "certificates of the camera", _DAYS_LIMIT)
        except SealError as error:
            raise SealError(error.fact, hint=f"restore it; else {_AGAIN}") from None
        try:
            self.verify_key = parse_verify_key(self._days.partition(b"\n")[0].decode())
            checkpoints = parse_signing_key(data.splitlines()[1].decode())
        except (SealError, ValueError, IndexError) as error:
            raise _damaged(folder) from error
        certificate = self._line(_CHECKPOINTS)
        if not signs_checkpoints(self.verify_key, checkpoints.verify_key, certificate):
            raise _damaged(folder)
        self.checkpoint_key = CheckpointKey(checkpoints, self.verify_key, certificate)
        if f"\n{_LAST} ".encode() not in self._days:
            raise SealError(
                f"{folder / DAYS} does not say which day is its last: a development version before "
                "0.2.0 wrote it, or it is damaged",
                hint=_AGAIN,
            )
        try:
            self.last = self._whole_to()
        except (ValueError, IndexError) as error:
            raise _damaged(folder) from error
        self.today = self._of(self._seed)

    @property
    def day(self) -> str:
        """From which day on they sign."""
        return self.today.certificate.day

    def sign(self, message: bytes) -> bytes:
        """Return the signature with the key of today, and its certificate: 170 bytes."""
        return self.today.key.sign(message) + self.today.certificate.encode()

    def on(self, day: str) -> Today:
        """Return what signs on a day to come; nothing changes.

        Raises:
            SealError: its certificate is damaged.
        """
        return self._of(self._seed_of(day))

    def turn(self, day: str) -> None:
        """Sign with the key of a day from now on; the file is as it was, see :meth:`destroy`.

        Raises:
            SealError: its certificate is damaged.
        """
        seed = self._seed_of(day)
        self.today, self._seed = self._of(seed), seed

    def destroy(self) -> None:
        """Destroy the keys of the days before this one in the file, durably; raises OSError.

        One of two slots gets the seed of today, and only then the other one is overwritten where it
        stands: at each moment one of them is whole. Another run may be ahead already.
        """
        fd = os.open(self._file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            size = os.fstat(fd).st_size
            slots = _slots(os.pread(fd, size, 0))
            newest = _newest(slots)
            at = slots.index(newest.secret_text())
            if newest.number < self._seed.number:
                at = 1 - at
                _write_slot(fd, at, self._seed.secret_text())
            if slots[1 - at] != _BLANK:  # also what a power cut left of one
                _write_slot(fd, 1 - at, _BLANK)
        finally:
            os.close(fd)

    def _whole_to(self) -> str:
        """Return the last day; raises ValueError where one is missing: its key would not turn."""
        *lines, rest = self._days.split(b"\n")
        first, last = (
            date.fromisoformat(lines[at][:DAY_BYTES].decode()) for at in (_HEAD_LINES, -1)
        )
        signed = is_last(self.verify_key, f"{last}", self._line(f"{_LAST} {last}"))
        if rest or not signed or len(lines) - _HEAD_LINES != (last - first).days + 1:
            raise ValueError("days are missing")
        return f"{last}"

    def _seed_of(self, day: str) -> Seed:
        seed = self._seed
        while seed.day < min(day, self.last):
            seed = seed.next()
        return seed

    def _of(self, seed: Seed) -> Today:
        key = seed.key
        certificate = Certificate(seed.day, key.verify_key, self._line(seed.day))
        if not certificate.is_of(self.verify_key):
            raise _damaged(self._file.parent)
        return Today(key, certificate)

    def _line(self, of: str) -> bytes:
        return decode_base64(self._days.partition(f"\n{of} ".encode())[2].partition(b"\n")[0])


def enrol(folder: Path, enrolled: SigningKey, now: datetime, days: int = DAYS_AHEAD) -> None:
    """Write the keys of a camera: after this nobody needs the enrolled key, and nobody has it.

    Args:
        folder: of the camera.
        enrolled: the key that the camera is known by; it is written nowhere.
        now: the first day.
        days: how many have a key of their own.

    Raises:
        SealError: a file exists or cannot be written.
    """
    first = seed = Seed((date.fromisoformat(epoch_of(now, "day")) - _FIRST).days, os.urandom(32))
    checkpoints = SigningKey.generate()
    last = (_FIRST + timedelta(first.number + days - 1)).isoformat()
    certified = [
        (_CHECKPOINTS, certify_checkpoints(enrolled, checkpoints.verify_key)),
        (f"{_LAST} {last}", certify_last(enrolled, last)),
    ]
    for _ in range(days):
        certified.append((seed.day, certify_day(enrolled, seed.day, seed.key.verify_key).signature))
        seed = seed.next()
    lines = [f"{of} {base64.b64encode(signature).decode()}\n" for of, signature in certified]
    write_new(folder / DAYS, f"{enrolled.verify_key}\n" + "".join(lines), mode=0o644)
    head = f"# public key: {enrolled.verify_key}\n{checkpoints.secret_text()}\n"
    try:
        text = f"{head}{first.secret_text()}\n{_BLANK}\n"
        write_new(folder / KEY, text, mode=0o600)
    except BaseException:
        (folder / DAYS).unlink()
        raise


_SLOT = len(Seed(0, bytes(SEED_BYTES)).secret_text())
_BLANK = "#" * _SLOT


def has_day_keys(data: bytes) -> bool:
    """Whether the file of a signing key is that of keys which turn with the days."""
    return SEED_PREFIX.upper().encode() in data


def _slots(data: bytes) -> list[str]:
    """Return the two lines at the end of the file of a key."""
    lines = (data[-2 * (_SLOT + 1) : -_SLOT - 1], data[-_SLOT - 1 :])
    return [line.removesuffix(b"\n").decode("ascii", errors="replace") for line in lines]


def _newest(slots: list[str]) -> Seed:
    """Return the newest seed; what a power cut left of one is none."""
    seeds = [seed for slot in slots if (seed := _parse_seed(slot))]
    if not seeds:
        raise SealError(f"there is no key in {KEY}: it is damaged", hint=_AGAIN)
    return max(seeds, key=lambda seed: seed.number)


def _parse_seed(text: str) -> Seed | None:
    try:
        prefix, data = bech32.decode(text)
    except ValueError:
        return None
    if prefix != SEED_PREFIX or len(data) != 4 + SEED_BYTES:
        return None
    return Seed(int.from_bytes(data[:4], "big"), data[4:])


def _write_slot(fd: int, at: int, text: str) -> None:
    end = os.fstat(fd).st_size
    os.pwrite(fd, text.encode() + b"\n", end - (2 - at) * (_SLOT + 1))
    os.fsync(fd)


def _damaged(folder: Path) -> SealError:
    return SealError(
        f"{folder / KEY} and {folder / DAYS} do not belong together, or are damaged",
        hint=_AGAIN,
    )
