"""`sealshot erc mix`: a copy of a data set whose pictures are as mixed as those of a camera.

Sets of portraits have been chosen: hardly one is blurred, dark or half hidden, which is what a
camera sees most. Here a share of the pictures is degraded, each in one way at one severity (as
Knoche et al. 2021 did for LFW, "Cross-quality LFW"). Error-versus-reject curves of the copy say
whether a score weighs a blur against a turned head as a matcher does. Mind that a score may have
learnt from degradations of these kinds, as `quality` has from ones made by other code
(:mod:`sealshot.export.train.degrade`).
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from sealshot.benchmarks.accuracy.erc.inputs import tell_losses
from sealshot.benchmarks.conditions.result_file import writing
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.degradations import (
    CLOSED_EYES,
    DEGRADATIONS,
    INFRARED,
    MISALIGNED,
    NON_FACE,
    Degradation,
    make_chip,
)
from sealshot.benchmarks.data.faces import Faces, find_faces
from sealshot.runtime.cli.arguments import (
    Arguments,
    natural_int,
    output_folder,
    positive_int,
    share,
)
from sealshot.runtime.cli.terminal import note, progress, say
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import fsync_folder

# those a detector is to blame for are left out: in the copy, it finds the face anew; so are lids,
# which a matcher hardly minds, and the night, in which all pictures of a camera are taken alike
APART = (MISALIGNED, NON_FACE, CLOSED_EYES, INFRARED)
MIXED = tuple(d for d in DEGRADATIONS if d.name not in APART)
SHARE = 0.5

USAGE = f"""
usage: sealshot erc mix DATASET -o DIR [options]

Copy a data set and degrade a share of its pictures, each in one of the first ten ways of `sealshot
erc degrade`, from mild to harsh; they leave the face where it is. The pictures are cut around the
face, which is then 64 px wide; those that show no face are left out. DATASET is a folder that holds
a folder a person, and so is the copy; judge scores on it by `sealshot erc DIR`. The copy SHOWS
FACES, as the data set does.

  -o DIR              a folder that is not there yet
  --share SHARE       of the pictures that are degraded (default {SHARE:g})
  --way NAME          degrade in this way alone, one of all of `sealshot erc degrade`: with
                      --way "{INFRARED}" --share 1 all are as a camera sees them at night
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --seed N            of what is drawn (default 0)
  --threads N         threads of the detector (default: one a core)
  --cache DIR         where found faces are kept (default ~/.cache/sealshot)

example:
  sealshot erc mix lfw/ -o lfw-mixed/
  sealshot erc lfw-mixed/ --recognizer matcher.onnx --score quality --score sharpness
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc mix", USAGE)
    add = arguments.add_argument
    add("dataset", type=Path)
    add("-o", "--output", type=output_folder, required=True)
    add("--share", type=share, default=SHARE)
    add("--way")
    add("--detector", default="mtcnn")
    add("--seed", type=natural_int, default=0)
    add("--threads", type=positive_int, default=0)
    add("--cache", type=Path)
    given = arguments.parse_args(argv)
    folder: Path = given.output
    if os.path.lexists(folder):
        raise InputError(f"{folder} is already there", hint="name a new folder with -o")

    ways = [d for d in DEGRADATIONS if d.name == given.way] if given.way else MIXED
    if not ways:
        raise InputError(
            f"there is no degradation '{given.way}'",
            hint="use one of " + ", ".join(d.name for d in DEGRADATIONS),
        )
    pictures = read_folder(given.dataset)
    faces = find_faces(pictures, given.detector, open_cache(given.cache), threads=given.threads)
    tell_losses(faces)
    with writing(folder, "folder"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".mix-") as unfinished:
            copy = Path(unfinished) / "copy"
            done = mix(faces, copy, given.share, given.seed, ways)
            copy.rename(folder)
        fsync_folder(folder.parent)
    say(f"written: {len(faces)} pictures into {folder}, {done.total()} of them degraded")
    for name, count in sorted(done.items()):
        note(f"{name}: {count}")
    return 0


def mix(
    faces: Faces,
    folder: Path,
    degraded: float,
    seed: int,
    ways: Sequence[Degradation] = MIXED,
) -> Counter[str]:
    """Write each face into a folder, as PNG and below its person's name.

    Args:
        faces: of a folder that holds a folder a person.
        folder: where to.
        degraded: share of the faces that are degraded, 0 to 1.
        seed: of what is drawn.
        ways: of which each is as likely.

    Returns:
        How many faces were degraded in each way.

    Raises:
        OSError: a file cannot be written.
    """
    done: Counter[str] = Counter()
    with progress("mix", len(faces)) as bar:
        for i in range(len(faces)):
            name = faces.pictures.files[int(faces.picture[i])]
            chip = make_chip(faces.view(i))
            rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
            if rng.random() < degraded:
                degradation = ways[int(rng.integers(len(ways)))]
                # as many levels below the middle one as above
                level = float(np.interp(rng.uniform(0, 2), (0, 1, 2), degradation.levels))
                chip = degradation.apply(chip, level, rng)
                done[degradation.name] += 1
            file = folder / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(cv2.imencode(".png", chip.image)[1].tobytes())
            bar.update(i + 1)
    return done
