"""What the tests of faults share: a writer to break, a vault to break it on, and the judgement.

`Yard.judge` is the one place that says what may be missing after a fault: nothing that was
acknowledged, unless a better shot of the person took its place, or retention or a quota took it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import writer
from writer import ORIGIN, make_shot, open_sealing

from sealshot.runtime.age import age
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.files import PART
from sealshot.runtime.seal import quorum
from sealshot.runtime.seal.checkpoint import LogError, checkpoint_path
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.entries import Alive
from sealshot.runtime.seal.epochs import KEY_SUFFIX
from sealshot.runtime.seal.keys import read_identities
from sealshot.runtime.seal.log import Log, tiles_path
from sealshot.runtime.seal.log_lines import verified_entries
from sealshot.runtime.seal.payload import pack, unpack
from sealshot.runtime.seal.tiles import WIDTH
from sealshot.runtime.seal.times import format_hour, utc_now
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import list_objects

ALL = os.environ.get("SEALSHOT_ALL_FAULTS", "") not in ("", "0")
"""Try every fault there is, some minutes, not the subset that each test states."""

KEPT, OLDEST, UNLOGGED = (901, 901), (902, 902), (903, 903)  # track, frame
STEPS = [(101, 1, None), (201, 2, None), (102, 1, 101), (301, 3, None)]  # frame, track, replaces
SMALLEST_CHUNK = 32  # bytes of a picture; that many do not occur by chance


@dataclass(frozen=True)
class Order:
    """What a writer is to do."""

    vault: Path
    steps: Sequence[tuple[int, int, int | None]] = tuple(STEPS)
    quota_bytes: int | None = None
    upload: str = ""
    flaw: str = ""
    gives_up: bool = False
    """After the first failure, as `sealshot run` does; else it tries the next step."""
    waits: bool = False


@dataclass
class Told:
    """What a writer told before it ended."""

    events: list[dict[str, Any]] = field(default_factory=list)
    status: int = 0
    """Exit code, or minus the number of the signal."""

    def frames(self, kind: str) -> list[int]:
        """The frames of one kind of event, as "stored"."""
        return [event[kind] for event in self.events if kind in event]

    @property
    def failures(self) -> list[dict[str, Any]]:
        """What went wrong, as a person would be told."""
        return [event for event in self.events if "failed" in event]

    @property
    def reports(self) -> list[str]:
        """What a person would have been told while it ran."""
        return [event["reported"] for event in self.events if "reported" in event]


@dataclass
class Verdict:
    """What was found after a fault, once the vault had healed itself."""

    lost: list[str]
    damaged: list[str]
    parts: list[str]
    plain: list[str]
    log: str
    unexplained: list[str]
    """Objects that the log has as sealed, not as purged, and that are gone."""

    @property
    def faults(self) -> dict[str, Any]:
        """What must be empty."""
        named = {
            "lost": self.lost,
            "damaged": self.damaged,
            "parts": self.parts,
            "plain": self.plain,
            "log": self.log,
            "unexplained": self.unexplained,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True)
class Call:
    """The ``number``-th call of a system call by a writer."""

    name: str
    number: int
    """Counted in its thread, as strace does."""
    text: str
    main: bool
    """Whether the main thread made it."""

    def __str__(self) -> str:
        return f"{self.name}:{self.number}"


class Yard:
    """A writer that is kept ready, the keys that open what it wrote, and a vault to start from."""

    every = ALL

    def __init__(self, folder: Path, parties: Any) -> None:
        self.folder, self.parties = folder, parties
        self.sealing = open_sealing(parties.camera_policy)
        camera = self.sealing.camera
        self._epoch_keys = {
            path.stem: read_identities(str(path))[0]
            for path in parties.custodian.rglob(f"*{KEY_SUFFIX}")
            if re.match(r"\d{4}-", path.name)
        }
        self._authorities = {
            name: read_identities(str(parties.key(name)))[0] for name in ("judge", "ombudsman")
        }
        self._verify_key = camera.key.verify_key
        self._opened: dict[bytes, tuple[int, int]] = {}
        self._process = subprocess.Popen(
            [sys.executable, writer.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.template = folder / "template"
        self._make_template()
        everybody = [KEPT, OLDEST, UNLOGGED, *((track, frame) for frame, track, _ in STEPS)]
        self.plain_chunks = [chunk for shot in everybody for chunk in self.chunks(*shot)]

    def _make_template(self) -> None:
        """A vault as a killed run may leave it: halves of files, a torn log, an unlogged shot."""
        camera = self.sealing.camera
        self.template.mkdir()
        with Log(self.template / LOG, camera.name, camera.key) as log:  # a tile fills in the trials
            log.append(*[Alive(format_hour(utc_now()))] * (WIDTH - 8))
        with Keeper(self.template, self.sealing) as keeper:
            oldest = keeper.put(make_shot(*OLDEST), ORIGIN)
            kept = keeper.put(make_shot(*KEPT), ORIGIN)
        keys = self.sealing.epoch_keys
        shot_id = secrets.token_hex(16)
        plain = pack(make_shot(*UNLOGGED), ORIGIN)
        sealed = quorum.seal_to_quorum(
            plain, camera, keys.current(utc_now()), utc_now(), utc_now(), shot_id
        )
        day = (self.template / oldest).parent
        (day / f"{shot_id}.sealed").write_bytes(sealed)
        (day / f"{secrets.token_hex(16)}.sealed{PART}").write_bytes(sealed[:1000])
        over = self.template / "2026-01-01"
        over.mkdir()
        (over / f"{secrets.token_hex(16)}.sealed").write_bytes(sealed)
        for name in (".clock", "log.checkpoint"):
            (self.template / (name + PART)).write_bytes(b"half")
        with (self.template / LOG).open("ab") as log:
            log.write(b'{"event":"sea')
        self._oldest = oldest
        for number, file in enumerate((self.template / kept, day / f"{shot_id}.sealed")):
            os.utime(file, (1_700_000_000 + 9999 * number,) * 2)  # hours of their own: they stay
        self.object_bytes = len(sealed)

    def new_vault(self) -> Path:
        """A copy of the vault to start from."""
        path = self.folder / f"vault-{secrets.token_hex(4)}"
        shutil.copytree(self.template, path)
        just_now = time.time() - 1
        os.utime(path / self._oldest, (just_now, just_now))  # of the hour that a quota takes from
        return path

    def chunks(self, track: int, frame: int) -> list[bytes]:
        """Pieces of the picture and of what is known about it, spread all over the plaintext."""
        plain = pack(make_shot(track, frame), ORIGIN)
        picture = unpack(plain).picture
        pieces = [picture[at : at + SMALLEST_CHUNK] for at in range(700, len(picture) - 32, 400)]
        return [*pieces, b'"frames_seen"']

    # Running a writer

    def order(self, vault: Path, **options: Any) -> Order:
        """What a writer is to do with a vault."""
        return Order(vault, **options)

    def told(self, lines: Iterable[str]) -> Told:
        """What a writer told, from what was kept of it."""
        return Told([json.loads(line) for line in lines])

    def start(self, order: Order) -> int:
        """Have a writer ready; return the number of its process."""
        fields = {
            **order.__dict__, "vault": str(order.vault), "policy": str(self.parties.camera_policy)
        }  # fmt: skip
        self.say(json.dumps(fields))
        return int(self.hear()["ready"])

    def run(self, order: Order, strace: Sequence[str] = ()) -> Told:
        """Run a writer to its end, under strace where options for it are given."""
        number = self.start(order)
        tracer = _attach(number, strace) if strace else None
        self.say("go")
        told = self.listen()
        if tracer:
            tracer.communicate(timeout=30)
        return told

    def listen(self) -> Told:
        """Hear a writer until it has ended."""
        told = Told()
        while "ended" not in (event := self.hear()):
            told.events.append(event)
        told.status = event["ended"]
        return told

    def say(self, line: str) -> None:
        """Say a line to the writer."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        """Hear the next thing that the writer tells."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the writer's host has ended"
        return dict(json.loads(line))

    def calls(self, order: Order) -> list[Call]:
        """Every system call of a writer that nothing happens to, in their order."""
        log = self.folder / "calls"
        told = self.run(order, ["-o", str(log)])
        assert told.events[-1] == {"finished": True}, told
        counts: dict[tuple[str, str], int] = {}
        calls = []
        for line in log.read_text(errors="replace").splitlines():
            match = re.match(r"(\d+) +([a-z_0-9]+)\(", line)
            if match:
                thread_call = match.groups()
                counts[thread_call] = counts.get(thread_call, 0) + 1
                main = thread_call[0] == calls[0].text.split()[0] if calls else True
                calls.append(Call(match[2], counts[thread_call], line, main))
        return calls

    def close(self) -> None:
        """End the writers' host."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    # Judging what it left

    def count(self, verdicts: Iterable[Verdict]) -> str:
        """Say in figures what was found."""
        found = list(verdicts)
        return (
            f"{len(found)} tried, {sum(len(v.lost) + len(v.damaged) for v in found)} shots lost, "
            f"{sum(len(v.plain) for v in found)} plain, {sum(len(v.parts) for v in found)} parts "
            f"left, {sum(bool(v.log) for v in found)} logs broken, "
            f"{sum(bool(v.unexplained) for v in found)} with a deletion that is not in the log"
        )

    def judge(self, order: Order, told: Told) -> Verdict:
        """Heal the vault as the next run does, then compare it with what was told."""
        note = checkpoint_path(order.vault / LOG)
        notes = [note.read_bytes()] if note.exists() else []
        plain = self.find_plain(*(path for path in order.vault.rglob("*") if path.is_file()))
        healed = replace(self.sealing, delivery=None)
        try:
            with Keeper(order.vault, healed):
                pass
        except SealshotError as error:
            return Verdict([], [], [], plain, f"the next run fails: {error.fact}", [])
        found, damaged = self._open_all(order.vault)
        if not (tiles_path(order.vault / LOG) / "tile/0/000").exists():
            damaged.append("the first tile of the log")
        log, unexplained = self._check_log(order.vault, [*notes, note.read_bytes()])
        return Verdict(
            lost=_missing(order, told, found),
            damaged=damaged,
            parts=[path.name for path in order.vault.rglob(f"*{PART}")],
            plain=plain,
            log=log,
            unexplained=unexplained,
        )

    def find_plain(self, *paths: Path) -> list[str]:
        """Files with a piece of a plain shot, or with the mark of a JPEG file."""
        return [path.name for path in paths if self.is_plain(path.read_bytes())]

    def is_plain(self, data: bytes) -> bool:
        """Whether a piece of a plain shot is in there, or the marks of a JPEG file."""
        if re.search(rb"\xff\xd8\xff[\xe0\xe1]..(JFIF|Exif)\0", data, re.DOTALL):
            return True
        return any(chunk in data for chunk in self.plain_chunks)

    def _open_all(self, vault: Path) -> tuple[set[tuple[int, int]], list[str]]:
        found, damaged = set(), []
        for stored in list_objects(vault):
            data = stored.path.read_bytes()
            try:
                if data not in self._opened:
                    self._opened[data] = self._open(data)
                found.add(self._opened[data])
            except (SealshotError, AssertionError) as error:
                damaged.append(f"{stored.id}: {error}")
        return found, damaged

    def _open(self, data: bytes) -> tuple[int, int]:
        container = read_container(data)
        identities: dict[str, age.Identity] = self._authorities
        shares = {
            name: quorum.open_share(container, name, identity)
            for name, identity in identities.items()
        }
        secret = quorum.open_epoch(container, self._epoch_keys[container.header.epoch])
        opened = unpack(quorum.open_payload(container, shares, secret))
        shot = (opened.metadata.track, opened.metadata.frame)
        sealed = unpack(pack(make_shot(*shot), ORIGIN))
        assert opened.picture == sealed.picture
        return shot

    def _check_log(self, vault: Path, notes: list[bytes]) -> tuple[str, list[str]]:
        data = (vault / LOG).read_bytes()
        if not data.endswith(b"\n"):
            return "its last line is torn", []
        try:
            name = self.sealing.camera.name
            for _ in verified_entries(vault / LOG, name, self._verify_key, notes):
                pass
        except LogError as error:
            return error.fact, []
        entries = [json.loads(line.rpartition(b" ")[0]) for line in data.splitlines()]
        logged = {event: set() for event in ("sealed", "purged", "uploaded")}
        for entry in entries:
            if entry["event"] in logged:
                logged[entry["event"]].add(entry["id"])
        there = {stored.id for stored in list_objects(vault)}
        if there - logged["sealed"]:
            return "an object is not in the log", []
        return "", sorted(logged["sealed"] - logged["purged"] - there)


def _missing(order: Order, told: Told, found: set[tuple[int, int]]) -> list[str]:
    """What should be there and is not."""
    tracks = {frame: track for frame, track, _ in order.steps}
    better = {replaces: frame for frame, _, replaces in order.steps if replaces}
    begun, stored = told.frames("begun"), told.frames("stored")
    frames = {frame for _, frame in found}
    lost = [f"{frame} that was there before" for frame in {KEPT[1], UNLOGGED[1]} - frames]
    of_the_hour = [] if OLDEST[1] in frames else [f"{OLDEST[1]} that was there before"]
    for frame in stored:
        instead = better.get(frame)
        if frame not in frames and not (instead in begun and instead in frames):
            of_the_hour.append(f"{frame} of track {tracks[frame]}")
    quota_takes_one = order.quota_bytes is not None and order.steps[-1][0] in begun
    return lost + of_the_hour[quota_takes_one:]


def _attach(number: int, options: Sequence[str]) -> subprocess.Popen[str]:
    """Attach strace to a process and its threads; return once it watches."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(number), *options], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    assert "attached" in line, line
    return tracer
