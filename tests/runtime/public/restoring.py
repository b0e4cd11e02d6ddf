"""A public stream with its vault, and the way to what comes back: what tests of `restore` share."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.public.picture import planes_of
from sealshot.runtime.seal.payload import Origin
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.types import Face, Image, Ratings

FRAMES, SIZE = 60, (160, 128)
SIDE = 32
NOBODY = Ratings.of(np.empty(0, np.float32))
ORIGIN = Origin(source="cam", score_name="rp", model_sha256="0f" * 32)


def places(index: int) -> dict[str, tuple[int, int]]:
    """Where two faces are: one crosses the picture, and passes over the one that stays."""
    return {"walks": (4 + 2 * index, 48), "stays": (64, 56)}


class Both:
    """A detector that finds both faces; the number of the picture stands in its first pixel."""

    def detect(self, image: Image) -> list[Face]:
        points = np.zeros((5, 2), np.float32)
        return [
            Face(np.array([x, y, x + SIDE, y + SIDE], np.float32), 0.9, points)
            for x, y in places(round(int(image[0, 0, 0]) / 4)).values()
        ]


def ffmpeg(source: Path, to: Path, *options: str) -> Path:
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", source, *options, to], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return to


def planes(path: Path) -> list[tuple[np.ndarray, ...]]:
    with av.open(str(path)) as container:
        return [planes_of(frame) for frame in container.decode(video=0)]


@dataclass(frozen=True)
class Told:
    """A public stream with its vault, and the way from a warrant to what comes back."""

    parties: object
    folder: Path
    source: list[tuple[np.ndarray, ...]]

    @property
    def stream(self) -> Path:
        return self.folder / "public.mkv"

    def arguments(self, stream: Path, vault: Path, *options: str) -> list[str]:
        policy = ["--warrant", str(self.folder / "w.json"), "--policy", str(self.parties.policy)]
        return ["restore", str(stream), "--vault", str(vault), *policy, *options]

    def answers(self, request: Path, name: str) -> list[str]:
        """Ask everybody, and return the options with what they answered."""
        p, options = self.parties, []
        rest = ["--warrant", str(self.folder / "w.json"), "--policy", str(p.policy), "--again"]
        for party, key in (("judge", "--key"), ("police", "--key"), ("custodian", "--keys")):
            role = "custodian" if party == "custodian" else "authority"
            secret = p.custodian if party == "custodian" else p.key(party)
            out = self.folder / f"{name}-{party}.answer"
            if not out.exists():
                answer = [role, "answer", str(request), *rest, key, str(secret), "-o", str(out)]
                assert main(answer) == 0
            options += ["--answer", str(out)]
        return ["--identity", str(p.investigator), *options]

    def restore(
        self, name: str, *options: str, stream: Path | None = None, vault: Path | None = None
    ) -> int:
        """Go all the way; ``name`` is that of the file and of what is asked for."""
        request = self.folder / f"{name}.zip"
        given = stream or self.stream, vault or self.folder / "vault"
        code = main(self.arguments(*given, *options, "--request", str(request)))
        if code:
            return code
        out = ["-o", str(self.folder / f"{name}.mkv")]
        return main(self.arguments(*given, *options, *self.answers(request, name), *out))


def sign_warrant(parties, path: Path, capsys: pytest.CaptureFixture[str], purpose: str) -> None:
    capsys.readouterr()
    assert main(["keys", "show", str(parties.investigator)]) == 0
    now, hour = utc_now(), timedelta(hours=1)
    new = ["warrant", "new", "--case", "7", "--camera", str(parties.camera_pub)]
    new += ["--from", format_time(now - hour), "--to", format_time(now + hour)]
    new += ["--investigator", capsys.readouterr().out.strip(), "--purpose", purpose]
    assert main([*new, "--policy", str(parties.policy), "-o", str(path)]) == 0
    for name in ("judge", "police"):
        sign = ["warrant", "sign", str(path), "--policy", str(parties.policy)]
        assert main([*sign, "--key", str(parties.key(name))]) == 0
