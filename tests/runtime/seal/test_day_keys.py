"""Whoever steals the files of a camera signs nothing of the days before."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from whole_log import verify_log

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.seal.certificates import Certificate, Today
from sealshot.runtime.seal.checkpoint import (
    checkpoint_path,
    parse_checkpoint,
    write_checkpoint,
)
from sealshot.runtime.seal.container import HEADER, SIGNATURE, SUMS, read_container, write_container
from sealshot.runtime.seal.day_keys import DayKeys, enrol
from sealshot.runtime.seal.entries import Alive, Entry, KeyChanged, Sealed, write_entry
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import entries_of, lines_of
from sealshot.runtime.seal.log_signer import certificate_in, key_changed, sign_line
from sealshot.runtime.seal.merkle import Tree, hash_leaf
from sealshot.runtime.seal.proof import Proof, parse_proof
from sealshot.runtime.seal.quorum import Camera, seal_to_quorum
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles

FIRST = datetime(2026, 11, 21, 10, tzinfo=timezone.utc)
DAYS_OF_LIFE, THEFT = 9, 5
NAME = "cam1"


def day(number: int) -> str:
    """The day of that number, counted from 0."""
    return f"{FIRST + timedelta(number):%Y-%m-%d}"


@dataclass(frozen=True)
class Life:
    """What a camera made up to the day of the theft, and what the thief has then."""

    folder: Path
    stolen: DayKeys
    sealed: list[bytes]
    """A container of each day."""
    log: bytes
    notes: list[bytes]
    """A checkpoint of each day, when its key had begun to sign, and the last one."""

    @property
    def note(self) -> bytes:
        return self.notes[-1]

    @property
    def key(self) -> Any:
        """What everybody knows the camera by."""
        return self.stolen.verify_key

    def verify(self, log: bytes, *kept: bytes) -> Tree:
        return verify_log(log, NAME, self.key, kept)


def make_log(path: Path, keys: DayKeys) -> Iterator[int]:
    """Log three shots a day; yields each day, and turns the key after it."""
    with Log(path, NAME, keys) as log:
        for number in range(THEFT + 1):
            if number:
                log.turn(keys.on(day(number)), f"{day(number)}T00")
                keys.turn(day(number))
                keys.destroy()
            yield number
            for hour in (9, 10, 11):
                place = f"{day(number)}/{number:02}{hour:030}.sealed"
                log.append(Sealed(f"{day(number)}T{hour:02}", place, "0" * 64))


@pytest.fixture(scope="module")
def life(classical: Any, tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("life")
    enrol(folder, SigningKey.generate(), FIRST, days=DAYS_OF_LIFE)
    keys, sealed, notes = DayKeys(folder), [], []
    for number in make_log(folder / "log", keys):
        sealed.append(seal(classical, keys, FIRST + timedelta(number)))
        notes.append(checkpoint_path(folder / "log").read_bytes())
    notes.append(checkpoint_path(folder / "log").read_bytes())
    stolen = DayKeys(shutil.copytree(folder, folder / "stolen", ignore=lambda *_: ["stolen"]))
    return Life(folder, stolen, sealed, (folder / "log").read_bytes(), notes)


def seal(world: Any, keys: DayKeys, now: datetime) -> bytes:
    camera, epoch = Camera(NAME, keys, world.policy), replace(world.epoch_key, epoch="2026-11-01")
    return seal_to_quorum(b"plain", camera, epoch, now, now, "0" * 32)


def test_each_day_has_a_key_of_its_own(life, classical) -> None:
    containers = [read_container(data) for data in life.sealed]
    assert [one.signed_on for one in containers] == [day(n) for n in range(THEFT + 1)]
    assert {one.camera_key for one in containers} == {life.key}
    assert len({one.parts[SIGNATURE][74:106] for one in containers}) == THEFT + 1
    assert life.verify(life.log, life.note).size == 4 * (THEFT + 1)


def test_another_reader_verifies_them_by_the_text_of_the_format(life, other) -> None:
    for data in life.sealed:
        header, _ = other.read_container(data, str(life.key))
        assert header["format"] == 4
    entries = other.read_log(life.log, NAME, str(life.key), [life.note])
    assert [e["day"] for e in entries if e["event"] == "key-changed"] == [
        day(n) for n in range(THEFT + 1)
    ]
    thief, honest = life.stolen, read_container(life.sealed[0])
    parts = {n: p for n, p in honest.parts.items() if n not in (HEADER, SUMS, SIGNATURE)}
    with pytest.raises(ValueError, match="the key of a later day"):
        other.read_container(write_container(honest.header, parts, thief), str(life.key))
    lines = list(lines_of(life.log))[:1]
    forged = rewritten(life, lines, [Sealed(f"{day(0)}T09", f"{day(0)}/{'f' * 32}.sealed")])
    with pytest.raises(InvalidSignature):
        other.read_log(forged, NAME, str(life.key), [checkpoint(life, forged)])


def test_after_the_last_day_its_key_stays(life, classical) -> None:
    keys = DayKeys(life.folder)
    keys.turn("2999-01-01")
    assert keys.day == keys.last == day(DAYS_OF_LIFE - 1)
    assert read_container(seal(classical, keys, FIRST + timedelta(400))).signed_on == keys.last


def test_there_is_no_way_back(life) -> None:
    keys = DayKeys(life.folder)
    ahead = keys.on(day(7))
    keys.turn(day(1))
    assert keys.day == day(THEFT)
    keys.turn(day(7))
    assert keys.today == ahead
    keys.turn(day(6))
    assert keys.today == ahead


def test_a_clock_that_is_behind_the_key_tells_the_first_hour_of_its_day(life, classical) -> None:
    sealed = seal(classical, life.stolen, FIRST + timedelta(THEFT, hours=-11))
    assert read_container(sealed).header.hour == f"{day(THEFT)}T00"


def signers(life: Life, of: bytes) -> Iterator[tuple[str, SigningKey, bytes]]:
    """All that a thief can sign with, and can put for a certificate: the others' lie in the vault.

    Args:
        of: the certificate of the day that a shot is forged of.
    """
    today, checkpoints = life.stolen.today, life.stolen.checkpoint_key
    own = SigningKey.generate()
    yield "the key of today", today.key, today.certificate.encode()
    yield "its certificate, of an earlier day", today.key, of[:10] + today.certificate.encode()[10:]
    yield "the certificate of the day", today.key, of
    yield "that, with the key of today", today.key, of[:10] + today.key.verify_key.key + of[42:]
    yield "that, with a key of the thief", own, of[:10] + own.verify_key.key + of[42:]
    yield "a thief's certificate", own, of[:42] + own.sign(of[:42])
    key = checkpoints.key.verify_key.key
    yield "the key of checkpoints", checkpoints.key, of[:10] + key + checkpoints.certificate
    yield "no certificate", today.key, b""
    yield "no certificate, of checkpoints", checkpoints.key, b""


def test_a_thief_seals_nothing_of_a_day_before(life, classical, tally) -> None:
    for number, data in enumerate(life.sealed[:THEFT]):
        honest = read_container(data)
        certificate = honest.parts[SIGNATURE][64:]
        parts = {n: p for n, p in honest.parts.items() if n not in (HEADER, SUMS, SIGNATURE)}
        for what, key, end in signers(life, certificate):
            for version in (2, 3, 4):
                header = replace(honest.header, format=version, hour=f"{day(number)}T23")
                signer: Any = SimpleNamespace(sign=lambda m, key=key, end=end: key.sign(m) + end)
                forged = write_container(header, parts, signer)
                tally.refused(f"a shot of a past day by {what}", lambda d=forged: read_container(d))
    error = tally.refused(
        "a shot of a past day by the key of today",
        lambda: read_container(
            write_container(replace(honest.header, hour=f"{day(4)}T23"), parts, life.stolen)
        ),
    )
    assert str(error).startswith(
        f"it says that it was sealed in the hour {day(4)}T23, and is signed by the camera's key of "
        f"{day(5)}, when that of before was destroyed"
    )
    # what a thief can: the day of the theft, and those after it
    for later in (THEFT, THEFT + 2):
        read_container(seal(classical, life.stolen, FIRST + timedelta(later)))


def rewritten(life: Life, lines: list[bytes], entries: list[Entry], end: bytes = b"") -> bytes:
    """A log that goes on otherwise after these lines, signed with the keys of today."""
    lines, key = list(lines), life.stolen.today.key
    for entry in entries:
        lines.append(sign_line(write_entry(entry), NAME, len(lines), key))
    return b"".join(line + b"\n" for line in lines) + end


def checkpoint(life: Life, log: bytes) -> bytes:
    tree, keys = Tree(lines_of(log)), life.stolen
    return write_checkpoint(NAME, tree, keys.checkpoint_key, keys.today)


def test_a_thief_writes_no_entry_of_a_day_before(life, tally) -> None:
    """Cut back to any entry and gone on from there, and with one entry replaced."""
    lines = list(lines_of(life.log))
    today = life.stolen.today.certificate
    old = [certificate_in(e) for e in entries_of(lines) if isinstance(e, KeyChanged)]
    first_of_today = next(i for i, e in enumerate(entries_of(lines)) if e.time[:10] == day(THEFT))
    for index, entry in enumerate(entries_of(lines[:first_of_today])):
        before, time = lines[:index], entry.time
        root = Tree(before).root
        forged = Sealed(time, f"{time[:10]}/{'f' * 32}.sealed", "f" * 64)
        other = replace(today, day=time[:10])
        ways: dict[str, list[Entry]] = {
            "an entry": [forged],
            "its key, and an entry": [key_changed(today, f"{day(THEFT)}T00", root), forged],
            "its key too early": [key_changed(today, time, root), forged],
            "its key with another day": [key_changed(other, time, root), forged],
            "a key of then": [key_changed(old[-2], time, root), forged],
            "no root": [key_changed(today, time, bytes(32)), forged],
        }
        for what, entries in ways.items():
            log = rewritten(life, before, entries)
            note = checkpoint(life, log)
            tally.refused(
                f"a log of past days rewritten: {what}",
                lambda log=log, note=note: life.verify(log, note),
                SealshotError,
            )
        one = [*before, rewritten(life, before, [forged]).splitlines()[-1], *lines[index + 1 :]]
        replaced = b"".join(line + b"\n" for line in one)
        note = checkpoint(life, replaced)
        tally.refused(
            "a log of past days rewritten: one entry replaced",
            lambda log=replaced, note=note: life.verify(log, note),
            SealshotError,
        )
    assert first_of_today > 15


def test_what_a_thief_can_is_to_cut_and_a_kept_checkpoint_tells(life) -> None:
    lines = list(lines_of(life.log))[:9]
    gone_on: list[Entry] = [
        key_changed(life.stolen.today.certificate, f"{day(THEFT)}T00", Tree(lines).root),
        Alive(f"{day(THEFT)}T08"),
    ]
    cut = rewritten(life, lines, gone_on)
    assert life.verify(cut, checkpoint(life, cut)).size == 11
    with pytest.raises(SealshotError, match="it was cut"):
        life.verify(cut, checkpoint(life, cut), life.note)


def test_each_flipped_bit_of_a_log_is_found(life, tally) -> None:
    for at in range(0, len(life.log), 43):
        altered = bytearray(life.log)
        altered[at] ^= 1 << at % 8
        if altered.count(b"\n") == life.log.count(b"\n"):
            tally.refused(
                "a flipped bit in a log by day keys",
                lambda log=bytes(altered): life.verify(log, life.note),
                SealshotError,
            )


def test_an_entry_is_proven_alone_with_the_certificate_of_its_day(life, tally) -> None:
    lines, tiles, certificate = list(lines_of(life.log)), Tiles(), None
    for line in lines:
        tiles.add(hash_leaf(line))
    proofs = []
    for index, (line, entry) in enumerate(zip(lines, entries_of(lines), strict=True)):
        if isinstance(entry, KeyChanged):
            certificate = certificate_in(entry)
        else:
            hashes = tuple(tiles.proof(index, len(lines)))
            proofs.append(Proof(line, index, hashes, life.note, certificate))
    for proof in proofs:
        assert parse_proof(proof.encode()) == proof
        assert proof.verify(life.key)[0].size == len(lines)
    first, last = proofs[0].certificate, proofs[-1].certificate
    own = SigningKey.generate()
    thiefs = Certificate(day(0), own.verify_key, own.sign(b"x"))
    forged = sign_line(proofs[0].line.rpartition(b" ")[0], NAME, proofs[0].index, own)
    for wrong in (
        replace(proofs[0], certificate=None),
        replace(proofs[0], certificate=last),
        replace(proofs[-1], certificate=first),
        replace(proofs[0], certificate=replace(first, day=day(1))),
        replace(proofs[0], line=forged, certificate=thiefs),
    ):
        tally.refused(
            "a proof with another certificate", lambda p=wrong: p.verify(life.key), SealshotError
        )


def test_a_checkpoint_is_known_to_others_by_one_key_on_all_days(life) -> None:
    found = parse_checkpoint(life.note, life.key)
    origin, number, key = found.vkey.split("+", 2)
    assert found.signer == life.stolen.checkpoint_key.key.verify_key != life.key
    assert base64.b64decode(key) == b"\x01" + found.signer.key
    [line] = [one for one in life.note.decode().splitlines() if one.startswith("— ")][:1]
    assert line.startswith(f"— {origin} ")
    assert base64.b64decode(line.split()[-1])[:4].hex() == number


def test_a_checkpoint_says_by_whose_leave_its_keys_sign(life, tally) -> None:
    *text, signature, certificate, of_day = life.note.decode().splitlines()
    head, made = base64.b64decode(certificate.split()[-1]), base64.b64decode(of_day.split()[-1])
    other = SigningKey.generate()
    thiefs = head[:4] + other.verify_key.key + other.sign(b"x")
    flipped = bytes([*made[:-1], made[-1] ^ 1])

    def line(data: bytes) -> str:
        return f"{signature.rpartition(' ')[0]} {base64.b64encode(data).decode()}"

    for lines in (
        [signature, certificate],
        [signature, of_day],
        [certificate, of_day],
        [signature, line(thiefs), of_day],
        [signature, certificate, line(flipped)],
        [signature, certificate, line(made[:-1])],
        [signature, certificate, line(made[:4])],
        [signature, certificate, line(made[:4] + life.stolen.today.key.sign(b"x"))],
    ):
        note = "".join(f"{one}\n" for one in [*text, *lines]).encode()
        tally.refused(
            "a checkpoint that is not the camera's",
            lambda note=note: life.verify(life.log, note),
            SealshotError,
        )
    other_size = life.note.replace(b"\n%d\n" % len(life.log.splitlines()), b"\n7\n")
    tally.refused(
        "a checkpoint that is not the camera's",
        lambda: life.verify(life.log, other_size),
        SealshotError,
    )


def test_a_thief_makes_no_checkpoint_of_a_day_before(life, tally) -> None:
    """The key of checkpoints is the same on all days; that of the day, which signs too, is not."""
    lines, keys = list(lines_of(life.log)), life.stolen
    assert life.verify(life.log, *life.notes).size == len(lines)
    parsed = [parse_checkpoint(note, life.key) for note in life.notes]
    assert [one.day for one in parsed] == [*map(day, range(THEFT + 1)), day(THEFT)]
    changes = [index for index, one in enumerate(entries_of(lines)) if isinstance(one, KeyChanged)]
    certificates = [certificate_in(next(entries_of([lines[index]]))) for index in changes]
    own = SigningKey.generate()
    for size in range(1, changes[-1] + 1):
        of = certificates[sum(index < size for index in changes) - 1]
        for tree in (Tree(lines[:size]), Tree([*lines[: size - 1], b"forged"])):
            for today in (
                keys.today,
                Today(keys.today.key, of),
                Today(keys.today.key, replace(keys.today.certificate, day=of.day)),
                Today(keys.checkpoint_key.key, of),
                Today(own, replace(of, key=own.verify_key)),
                None,
            ):
                note = write_checkpoint(NAME, tree, keys.checkpoint_key, today)
                tally.refused(
                    "a checkpoint of a past day",
                    lambda note=note: life.verify(life.log, life.note, note),
                    SealshotError,
                )
            note = write_checkpoint(NAME, tree, keys.checkpoint_key) + b"".join(
                life.notes[0].splitlines(keepends=True)[-1:]
            )
            if size != parsed[0].size or tree.root != parsed[0].root:
                tally.refused(
                    "a checkpoint of a past day, with the signature of another",
                    lambda note=note: life.verify(life.log, life.note, note),
                    SealshotError,
                )


def test_a_proof_leads_to_no_checkpoint_of_a_day_before_its_entry(tmp_path) -> None:
    enrol(tmp_path, SigningKey.generate(), FIRST, days=3)
    keys = DayKeys(tmp_path)
    first, second = keys.today, keys.on(day(1))
    line = sign_line(write_entry(Alive(f"{day(1)}T10")), NAME, 0, second.key)
    for today, may in ((first, False), (second, True), (keys.on(day(2)), True)):
        note = write_checkpoint(NAME, Tree([line]), keys.checkpoint_key, today)
        proof = Proof(line, 0, (), note, second.certificate)
        if may:
            proof.verify(keys.verify_key)
        else:
            with pytest.raises(SealshotError, match="of a day before"):
                proof.verify(keys.verify_key)
