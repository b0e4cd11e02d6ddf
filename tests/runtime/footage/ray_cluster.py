"""`sealshot archive --workers ray` on a local cluster, one of whose workers is killed.

    pip install 'sealshot[ray]'
    python tests/runtime/footage/ray_cluster.py [--clips 8] [--frames 100] [--processors 2]

Prints the seconds that one process on one processor and the cluster took, and their ratio (of whole
commands, so with the start of the cluster), and where a cgroup counts it (version 1, as root) the
time of processors, which others on the machine do not touch. Exits 1 unless both found the same
people and the summary came through.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.demo.clip import write_clip
from sealshot.runtime.seal.keys import write_identity
from sealshot.runtime.vault.store import list_objects

ACCOUNTS = Path("/sys/fs/cgroup/cpuacct")


@dataclass
class Result:
    """What one command did."""

    seconds: float
    processor_s: float | None
    people: list[tuple[str, int, int, float]]
    killed: bool


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--clips", type=int, default=8)
    arguments.add_argument("--frames", type=int, default=100)
    arguments.add_argument("--processors", type=int, default=2)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        identity = X25519Identity.generate()
        write_identity(root / "key", identity)
        to = ["--to", str(identity.recipient), "--json"]
        footage = _footage(root, given.clips, given.frames)
        one = _archive(root, [*footage, *to, "--workers", "1"], 1)
        ray = _archive(root, [*footage, *to, "--workers", "ray"], given.processors)
    print(
        f"{given.clips} clips: one process {one.seconds:.1f} s, Ray {ray.seconds:.1f} s, ", end=""
    )
    print(f"{one.seconds / ray.seconds:.2f} times as fast")
    if one.processor_s and ray.processor_s:
        most = given.processors * one.processor_s / ray.processor_s
        print(
            f"time of processors: one process {one.processor_s:.1f} s, Ray {ray.processor_s:.1f} s:"
            f" {most:.2f} times as fast on {given.processors} processors that are free"
        )
    same = one.people == ray.people
    for mine, other in zip(one.people, ray.people, strict=False):
        if mine != other:
            print(f"one process: {mine}; Ray: {other}")
    print(f"{len(one.people)} people, {'the same' if same else 'others'}; killed: {ray.killed}")
    return 0 if same and ray.killed else 1


def _footage(root: Path, clips: int, frames: int) -> list[str]:
    whole, first = root / "whole.avi", root / "2026-11-21_00-00-00.avi"
    write_clip(whole)
    cut = ["-ss", "2", "-frames:v", str(frames), "-c", "copy", str(first)]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(whole), *cut], check=True)
    paths = [first.with_stem(f"2026-11-21_{n // 60:02}-{n % 60:02}-00") for n in range(clips)]
    for path in paths[1:]:
        shutil.copy(first, path)
    return [str(path) for path in paths]


def _archive(root: Path, options: list[str], processors: int) -> Result:
    name = options[-1]
    vault, opened, account = root / f"vault-{name}", root / f"out-{name}", _account(name)

    def begin() -> None:
        os.sched_setaffinity(0, range(processors))
        if account:
            (account / "tasks").write_text(str(os.getpid()))

    killed: list[bool] = []
    start = time.monotonic()
    run = subprocess.Popen(
        [sys.executable, "-m", "sealshot", "archive", *options, "--vault", str(vault)],
        env={**os.environ, "RAY_ADDRESS": "local"},
        preexec_fn=begin,
        stdout=subprocess.PIPE,
        text=True,
    )
    if name == "ray":
        killer = threading.Thread(target=lambda: killed.append(_kill_a_worker(run)))
        killer.start()
    out, _ = run.communicate()
    seconds = time.monotonic() - start
    if name == "ray":
        killer.join()
    assert run.returncode == 0, out
    assert json.loads(out)["people"] == len(list_objects(vault))
    opening = ["open", str(vault), "--identity", str(root / "key"), "-o", str(opened)]
    subprocess.run([sys.executable, "-m", "sealshot", *opening], check=True, capture_output=True)
    people = sorted(
        (known["source"], known["track"], known["frame"], round(known["score"], 3))
        for known in (json.loads(path.read_bytes()) for path in opened.glob("*.json"))
    )
    used = int((account / "cpuacct.usage").read_text()) / 1e9 if account else None
    return Result(seconds, used, people, any(killed))


def _account(name: str) -> Path | None:
    """Return a new cgroup that counts what a command and all that it starts use."""
    account = ACCOUNTS / f"sealshot-{os.getpid()}-{name}"
    try:
        account.mkdir()
    except OSError:
        return None
    return account


def _kill_a_worker(run: subprocess.Popen[str]) -> bool:
    """Kill one of Ray's workers in the middle of a recording; say whether there was one."""
    while run.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                title = path.read_bytes()
                owner = Path(path.parent / "status").read_text().partition("PPid:")[2].split()[0]
                raylet = Path(f"/proc/{owner}/cmdline").read_bytes()
            except (OSError, IndexError):
                continue
            if title.startswith(b"ray::_on_one_processor") and b"raylet" in raylet:
                time.sleep(1)
                os.kill(int(path.parent.name), signal.SIGKILL)
                return True
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    sys.exit(main())
