"""Writes shots into a vault as `sealshot run` does, one process an order, and tells each step.

Started once: it imports everything, then forks a process for each line of JSON on its input. That
one tells its number, so that one can attach to it, waits for a line, then tells each step when it
begins and when it is done, and waits for a line after each where the order says so.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sealshot.runtime import files
from sealshot.runtime.cli.commands.camera import read_camera
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.seal.epochs import EpochKeys
from sealshot.runtime.seal.payload import Origin, pack
from sealshot.runtime.types import Shot
from sealshot.runtime.vault import store as vault
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.targets import open_target
from sealshot.runtime.vault.upload import Delivery

ORIGIN = Origin(source="camera", score_name="rp", model_sha256="0f" * 32)
PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)


def make_shot(track: int, frame: int) -> Shot:
    """The same numbers give the same shot: a picture of noise, about 10 kB as JPEG."""
    image = np.random.default_rng([track, frame]).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    return Shot(
        track=track,
        frame=frame,
        time_s=frame / 25,
        utc="2026-11-21T10:20:30.125Z",
        box=(10.0, 20.5, 60.0, 80.25),
        score=-1234.5,
        percentile=91.5,
        frames_seen=41,
        reason="highest score of 41 frames",
        image=image,
    )


def open_sealing(policy: Path, quota_bytes: int | None = None, upload: str = "") -> Sealing:
    """What `sealshot run --policy` seals with."""
    camera = read_camera(policy)
    return Sealing(
        camera=camera,
        epoch_keys=EpochKeys(camera.policy, policy.parent / "epochs", policy.parent),
        retention=camera.policy.retention_time,
        quota_bytes=quota_bytes,
        delivery=Delivery(open_target(upload), first_wait_s=0.01) if upload else None,
    )


class _Reporter(logging.Handler):
    """Tells what a person would read."""

    def emit(self, record: logging.LogRecord) -> None:
        _tell(reported=record.getMessage())


def main() -> None:
    """Serve orders until the input ends."""
    logging.getLogger("sealshot").addHandler(_Reporter())
    for line in _lines():
        if not line.startswith("{"):  # said to one that was killed before it heard it
            continue
        child = os.fork()
        if child == 0:
            try:
                _write(json.loads(line))
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        _tell(ended=os.waitstatus_to_exitcode(status))


def _write(order: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY)
    _tell(ready=os.getpid())
    next(_lines())
    _break(order["flaw"])
    known: dict[int, str] = {}

    def tell(**what: object) -> None:
        _tell(**what)
        if order["waits"]:
            next(_lines())

    failed = None
    try:
        sealing = open_sealing(Path(order["policy"]), order["quota_bytes"], order["upload"])
        with Keeper(Path(order["vault"]), sealing) as keeper:
            for frame, track, replaces in order["steps"]:
                tell(begun=frame)
                if order["flaw"] == "hasty":
                    tell(stored=frame)
                try:
                    shot = make_shot(track, frame)
                    before = known.get(replaces) if replaces else None
                    known[frame] = keeper.put(shot, ORIGIN, "jpg", before)
                except SealshotError as error:
                    failed = error
                    tell(failed=frame, fact=error.fact, hint=error.hint, code=error.exit_code)
                    if order["gives_up"]:
                        break
                else:
                    if order["flaw"] != "hasty":
                        tell(stored=frame)
    except SealshotError as error:
        failed = error
        _tell(failed=0, fact=error.fact, hint=error.hint, code=error.exit_code)
    _tell(finished=failed is None)


def _break(flaw: str) -> None:
    """Build in a flaw that the tests must notice."""
    if flaw == "no fsync":
        os.fsync = lambda _fd: None
    elif flaw == "not atomic":
        vault.write_atomic = _write_in_place
    elif flaw == "plain file":
        vault.write_atomic = _write_plain_first


def _write_in_place(path: Path, data: bytes, *, time_s: int) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(data[: len(data) // 2])
        file.write(data[len(data) // 2 :])
        os.fsync(file.fileno())


def _write_plain_first(path: Path, data: bytes, *, time_s: int) -> None:
    """Go through a temporary file with the plain picture, as a careless program would."""
    temporary = path.with_suffix(".jpg")
    temporary.write_bytes(pack(make_shot(1, 101), ORIGIN))
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.unlink()
    files.write_atomic(path, data, time_s=time_s)


def _tell(**what: object) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _lines() -> Iterator[str]:
    """Lines of the input, read byte by byte: what follows a line is for another process."""
    line = b""
    while byte := os.read(0, 1):
        if byte == b"\n":
            yield line.decode()
            line = b""
        else:
            line += byte


if __name__ == "__main__":
    main()
    sys.exit(0)
