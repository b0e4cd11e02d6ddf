"""`sealshot demo`: the main job on a clip whose best frames are known, from key to picture."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from sealshot.runtime.cli import main as cli
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import note, say
from sealshot.runtime.demo.clip import FPS, WALKS, write_clip
from sealshot.runtime.demo.cutout import Pose
from sealshot.runtime.errors import InputError, SealshotError

USAGE = """
usage: sealshot demo [-o DIR]

Render a clip of two people who walk, turn and blur under changing light, run on it, seal the best
shot of each, open them, and check that the frames are ones in which the person was near, sharp, lit
and looking at the camera. Each step is a command that you can type yourself.

  -o DIR      folder for all of it (default sealshot-demo); must not exist

example:
  sealshot demo
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("demo", USAGE)
    arguments.add_argument("-o", dest="folder", type=Path, default=Path("sealshot-demo"))
    folder: Path = arguments.parse_args(argv).folder
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be made: {error.strerror}",
            hint="name another with -o, or delete it",
        ) from error
    clip, key, vault, out = (folder / n for n in ("clip.avi", "authority.key", "vault", "opened"))
    note(f"rendering {clip}")
    try:
        write_clip(clip)
    except SealshotError:
        folder.rmdir()
        raise
    _step("keys", "new", str(key))
    recipient = next(
        line.rpartition(" ")[2] for line in key.read_text().splitlines() if "public key" in line
    )
    _step("run", str(clip), "--to", recipient, "--vault", str(vault))
    _step("open", str(vault), "--identity", str(key), "-o", str(out))
    return _check(out)


def _step(*argv: str) -> None:
    say(f"\n$ sealshot {shlex.join(argv)}")
    code = cli.dispatch(list(argv))
    if code:
        raise SealshotError(f"`sealshot {argv[0]}` ended with exit code {code}")


def _check(out: Path) -> int:
    """Compare the chosen frames with those that were rendered as good ones."""
    shots = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    missing = []
    say()
    for number, walk in enumerate(WALKS, 1):
        frames = range(int(walk.start_s * FPS), int(walk.end_s * FPS) + 1)
        good = [f for f in frames if (pose := walk.pose(f / FPS)) and pose.is_good]
        chosen = [
            shot["frame"]
            for shot in shots
            if shot["frame"] in good and _is_near(walk.pose(shot["frame"] / FPS), shot["box"])
        ]
        say(
            f"person {number}: frames {good[0]}-{good[-1]} of {frames[0]}-{frames[-1]} are good; "
            + (f"chosen {chosen[0]}" if chosen else "none of them was chosen")
        )
        if not chosen:
            missing.append(number)
    if missing or len(shots) != len(WALKS):
        raise SealshotError(
            f"the check failed: {len(shots)} shots, {len(WALKS) - len(missing)} of "
            f"{len(WALKS)} people well shown",
            hint="run `sealshot show-env` and report it",
        )
    say(f"both people have one shot each, well shown. The pictures are in {out}")
    return 0


def _is_near(pose: Pose | None, box: list[float]) -> bool:
    """Say whether a box is that of the person: a turned face is off the axis of its head."""
    return pose is not None and abs((box[0] + box[2]) / 2 - pose.x) < pose.face_px
