"""This build beside that of an older commit: whole processes on the same clip, in turns.

The commit is taken out of the repository and installed into an environment of its own, with the
newest versions of what it depends on; both are kept in the cache.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.machine import Conditions, conditions
from sealshot.benchmarks.conditions.process import Ran, ran
from sealshot.benchmarks.conditions.spread import Spread, spread
from sealshot.benchmarks.speed.throughput.frames import Clip, describe_clip
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.terminal import note, progress, say, table
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import cache_folder
from sealshot.runtime.processors import processors

ROOT = Path(__file__).resolve().parents[3]
HELPS = 5
"""How often `--help` is asked for in a round: each is short."""
VERSIONS = (
    "import importlib.metadata as m, json\n"
    "known = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
    "names = ('sealshot', 'numpy', 'onnxruntime', 'opencv-python-headless', 'av')\n"
    "print(json.dumps({name: known[name] for name in names if name in known}))"
)


@dataclass(frozen=True)
class Build:
    """One build, and how to start it."""

    name: str
    commit: str
    command: tuple[str, ...]
    """That starts `sealshot`."""
    environment: Mapping[str, str]
    versions: dict[str, str]


@dataclass(frozen=True)
class Once:
    """One process, from its start to its end."""

    process: Ran
    frames: int
    people: int
    run_seconds: float
    """Of it, from the first frame to the last sealed shot, as the build itself says."""
    help_s: float
    """How long `sealshot --help` takes: the shortest of some."""


@dataclass(frozen=True)
class Figures:
    """What one build does."""

    build: str
    commit: str
    versions: dict[str, str]
    fps: Spread
    """Frames a second of the whole process, its start included."""
    run_fps: Spread
    """From the first frame on."""
    cpu_ms: Spread
    """Processor time a frame, all threads."""
    peak_mb: Spread
    """Of all processes, see :class:`Ran`."""
    once_mb: Spread
    """Likewise, what they share counted once."""
    around_s: Spread
    """What a run takes beside its frames: before the first and after the last shot."""
    help_s: Spread
    """`sealshot --help`."""
    people: tuple[int, ...]
    """Of each run."""


@dataclass(frozen=True)
class Result:
    """Both builds, and their ratios: this one over the other, each within a round."""

    kind: str
    clip: Clip
    frames: int
    cores: int
    rounds: int
    builds: tuple[Figures, Figures]
    """The older one, this one."""
    fps_ratio: Spread
    run_fps_ratio: Spread
    cpu_ratio: Spread
    peak_ratio: Spread
    once_ratio: Spread
    conditions: Conditions
    environment: Environment


def measure_against(commit: str, clip: str, *, frames: int, rounds: int, cores: int) -> Result:
    """Run both builds on a clip, in turns.

    Ctrl-C ends it with the rounds that both have done.

    Args:
        commit: of this repository.
        clip: a video file.
        frames: how many to run on at least: the clip is repeated; 0: once.
        rounds: runs of each build.
        cores: that a process may use; 0: all.

    Raises:
        InputError: there is no such commit or clip, or this is no checkout.
        SealshotError: a build cannot be made, or a run failed.
    """
    told = describe_clip(clip)
    builds = (_older(commit), _this())
    done: tuple[list[Once], list[Once]] = ([], [])
    with (
        tempfile.TemporaryDirectory(prefix="sealshot-against-") as folder,
        on_cores(cores) as used,
    ):
        source = repeated(Path(clip), frames, Path(folder)) if frames else Path(clip)
        with progress("runs", 2 * rounds) as bar, conditions() as watch:
            try:
                for i in range(2 * rounds):
                    which = (i + i // 2) % 2  # the one that starts a round changes
                    done[which].append(_run(builds[which], source, Path(folder) / str(i)))
                    last = done[which][-1]
                    bar.update(i + 1, f"{builds[which].name} {_fps(last):.1f} fps")
            except KeyboardInterrupt:
                if not all(done):
                    raise
    whole = min(map(len, done))
    if whole < rounds:
        note(f"stopped after {whole} of {rounds} rounds")
    old, new = done[0][:whole], done[1][:whole]
    return Result(
        kind="against",
        clip=told,
        frames=new[0].frames,
        cores=used,
        rounds=whole,
        builds=(_figures(builds[0], old), _figures(builds[1], new)),
        fps_ratio=_ratio(old, new, _fps),
        run_fps_ratio=_ratio(old, new, lambda o: o.frames / o.run_seconds),
        cpu_ratio=_ratio(old, new, lambda o: o.process.cpu_s / o.frames),
        peak_ratio=_ratio(old, new, lambda o: o.process.peak_mb),
        once_ratio=_ratio(old, new, lambda o: o.process.once_mb),
        conditions=watch.result,
        environment=environment(),
    )


def print_against(result: Result) -> None:
    """Print the figures for people."""
    rates = (">frames/s", ">spread", ">after the start", ">CPU ms a frame", ">MB", ">a page once")
    heads = (*rates, ">s beside the frames", ">s for --help", ">people")
    table(
        ("", *heads),
        (
            (
                f"{one.build} ({one.commit[:12]})",
                f"{one.fps.median:.2f}",
                f"{one.fps.low:.2f} to {one.fps.high:.2f}",
                f"{one.run_fps.median:.2f}",
                f"{one.cpu_ms.median:.1f}",
                f"{one.peak_mb.median:.0f}",
                f"{one.once_mb.median:.0f}",
                f"{one.around_s.median:.2f}",
                f"{one.help_s.median:.3f}",
                ", ".join(map(str, sorted(set(one.people)))),
            )
            for one in result.builds
        ),
    )
    for what, ratio in (
        ("frames/s of the whole process", result.fps_ratio),
        ("frames/s after the start", result.run_fps_ratio),
        ("processor time a frame", result.cpu_ratio),
        ("peak memory", result.peak_ratio),
        ("memory, each page counted once", result.once_ratio),
    ):
        say(f"{what}: {ratio.median:.2f} times ({ratio.low:.2f} to {ratio.high:.2f})")
    say(
        f"{result.clip.name}, {result.frames} frames, {result.rounds} rounds in turns on "
        f"{result.cores} cores of {result.environment.machine}; ratios within a round"
    )
    for one in result.builds:
        note(f"{one.build}: {', '.join(f'{k} {v}' for k, v in one.versions.items())}")


def repeated(clip: Path, frames: int, folder: Path) -> Path:
    """Repeat a clip until it has so many frames at least, without coding it again.

    Args:
        clip: a video file that starts with a key frame.
        frames: at least.
        folder: to write ``repeated.mkv`` into.

    Raises:
        InputError: it holds no video, or cannot be repeated without coding it again.
    """
    target = folder / "repeated.mkv"
    try:
        with av.open(str(clip)) as source, av.open(str(target), "w") as out:
            stream = source.streams.video[0]
            to = out.add_stream_from_template(stream)
            written, shift = 0, 0
            while written < frames:
                source.seek(0)
                before, begins, ends = written, float("inf"), 0
                waiting: list[av.Packet[Any]] = []  # Matroska has no dts for the first of a clip
                for packet in source.demux(stream):
                    if packet.pts is None:
                        continue
                    waiting.append(packet)
                    if packet.dts is None:
                        continue
                    oldest = packet.dts + 1 - len(waiting)
                    if not written:
                        shift = -oldest
                    for dts, one in enumerate(waiting, oldest):
                        one.dts, one.pts = dts + shift, (one.pts or 0) + shift
                        begins = min(begins, one.pts)
                        ends = max(ends, one.pts + (one.duration or 1))
                        one.stream = to
                        out.mux(one)
                    written += len(waiting)
                    waiting.clear()
                if written == before:
                    raise InputError(f"{clip} holds no video", hint="name a video file")
                shift += ends - int(begins)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InputError(
            f"{clip} cannot be repeated: {error}", hint="leave --frames out, or give another clip"
        ) from error
    return target


def _older(commit: str) -> Build:
    """Install a commit into an environment of its own, or take the one made before."""
    sha = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    folder = cache_folder(f"builds/{sha[:12]}")
    python, whole = folder / "venv/bin/python", folder / "installed"
    if not whole.exists():
        note(f"installing {sha[:12]} into {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "tree").mkdir(parents=True)
        _call("git", "-C", ROOT, "archive", "-o", folder / "tree.tar", sha)
        _call("tar", "-xf", folder / "tree.tar", "-C", folder / "tree")
        _call(sys.executable, "-m", "venv", folder / "venv")
        _call(python, "-m", "pip", "install", "-q", folder / "tree")
        whole.touch()
    clean = _without_python()
    command = (str(folder / "venv/bin/sealshot"),)
    return Build("the older build", sha, command, clean, _versions(python, clean))


def _this() -> Build:
    """Return this checkout; its modules are compiled, as those of what is installed are."""
    python = Path(sys.executable)
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    variables["PYTHONPYCACHEPREFIX"] = str(cache_folder("builds/compiled"))
    command = (str(python), "-m", "sealshot")
    subprocess.run([*command, "run", "--help"], env=variables, check=True, capture_output=True)
    return Build(
        "this build", environment().commit, command, variables, _versions(python, variables)
    )


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputError(
            f"there is no commit {arguments[-1].removesuffix('^{commit}')!r} in {ROOT}",
            hint="run it in a checkout of sealshot with its history, and name a commit of it",
        )
    return done.stdout.strip()


def _call(*command: str | Path) -> None:
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, env=_without_python()
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise SealshotError(f"{Path(command[0]).name} failed: {last}", hint="look at the commit")


def _versions(python: Path, variables: Mapping[str, str]) -> dict[str, str]:
    done = subprocess.run(
        [str(python), "-c", VERSIONS], capture_output=True, text=True, env=variables, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def _without_python() -> dict[str, str]:
    """The variables of this process without those that lead to this build."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def _run(build: Build, clip: Path, folder: Path) -> Once:
    recipient = str(X25519Identity.generate().recipient)
    command = [*build.command, "run", str(clip), "--to", recipient]
    command += ["--vault", str(folder / "vault"), "--json"]
    folder.mkdir()
    process = ran(
        build.name, command, folder, build.environment, "try the clip with `sealshot run`"
    )
    said: dict[str, Any] = json.loads(process.said)
    shutil.rmtree(folder)
    return Once(
        process=process,
        frames=said["frames"],
        people=len(said["people"]),
        run_seconds=said["seconds"],
        help_s=min(_help_s(build) for _ in range(HELPS)),
    )


def _help_s(build: Build) -> float:
    start = time.perf_counter()
    command = [*build.command, "--help"]
    subprocess.run(command, env=build.environment, check=True, capture_output=True)
    return time.perf_counter() - start


def _fps(once: Once) -> float:
    return once.frames / once.process.seconds


@contextmanager
def on_cores(count: int) -> Iterator[int]:
    """Keep this process and its children on so many cores; 0: on all that it may use."""
    allowed = sorted(os.sched_getaffinity(0))
    if count > len(allowed):
        raise InputError(
            f"this process may use {len(allowed)} cores, not {count}", hint="ask for fewer"
        )
    os.sched_setaffinity(0, allowed[-count:] if count else allowed)
    try:
        yield count or processors()
    finally:
        os.sched_setaffinity(0, allowed)


def _figures(build: Build, runs: Sequence[Once]) -> Figures:
    return Figures(
        build=build.name,
        commit=build.commit,
        versions=build.versions,
        fps=spread(map(_fps, runs)),
        run_fps=spread(o.frames / o.run_seconds for o in runs),
        cpu_ms=spread(1e3 * o.process.cpu_s / o.frames for o in runs),
        peak_mb=spread(o.process.peak_mb for o in runs),
        once_mb=spread(o.process.once_mb for o in runs),
        around_s=spread(o.process.seconds - o.run_seconds for o in runs),
        help_s=spread(o.help_s for o in runs),
        people=tuple(o.people for o in runs),
    )


def _ratio(old: Sequence[Once], new: Sequence[Once], figure: Callable[[Once], float]) -> Spread:
    return spread(figure(n) / figure(o) for o, n in zip(old, new, strict=True))
