"""`sealshot bench detection`: how well and how fast faces are found."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.pictures import pictures
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import say_json, table
from sealshot.runtime.detect import MIN_FACE_PX, Detector, open_detector
from sealshot.runtime.detect.boxes import iou
from sealshot.runtime.detect.mtcnn import EXACT, FAST, Mtcnn, Settings
from sealshot.runtime.detect.sampling import ALL, MipSampler, Sampler
from sealshot.runtime.engines.runner import Arrays, Runner
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face, Floats, Image

USAGE = """
usage: sealshot bench detection agreement WHEEL PATH... [options]
       sealshot bench detection recall PATH... [--confirm NAME] [options]
       sealshot bench detection following CLIP... [options]
       sealshot bench detection speed CLIP [options]

  agreement   do our boxes agree with those of facenet-pytorch (WHEEL) on the same images, with the
              same parameters? Beside it: does facenet-pytorch agree with itself when the image is
              moved by one pixel?
  recall      what each deviation from the published parameters costs. Of a clip: the faces of 40 px
              or more that the published parameters find. Of a folder: pictures of one face, shrunk
              to 40-70 px, turned, blurred, darkened and made noisy; there they miss some, too.
  following   the default, which looks at parts of the frames of a video, beside full passes of the
              same networks: faces and people that it misses
  speed       time of each stage on a clip, with one and with two threads

A PATH is a clip or a folder of pictures (its sub-folders as well).

  --count N           pictures or frames of each PATH, of `following` the first (default 150)
  --every N           `following` alone: one of N frames, as a slower camera gives them (default 1)
  --confirm DETECTOR  `recall` alone: count faces that this detector does not see, as
                      yunet:FILE.onnx
  -o, --output FILE   write the figures as JSON
  --json              print them as JSON instead of a table

example:
  sealshot bench detection recall crowd.mp4 lfw/ --confirm yunet:yunet.onnx
"""

PEER_MIN_FACE_PX = 20  # facenet-pytorch's default
SEEN_PX = 40  # recall counts faces from here on
HARD_PX = (40, 44, 48, 54, 60, 70)
SEED = 1
DEVIATIONS = {
    "mtcnn:exact": EXACT,
    "bilinear samples": replace(EXACT, sampler=MipSampler),
    "factor 0.65": replace(EXACT, factor=FAST.factor),
    "P-net threshold 0.7": replace(EXACT, thresholds=FAST.thresholds),
    "coarse first level": replace(EXACT, coarse_levels=FAST.coarse_levels),
    "mean of boxes": replace(EXACT, average=True),
    "mtcnn (all of them)": FAST,
}


@dataclass
class Agreement:
    """How the faces of one detector compare with those of another."""

    iou: list[float] = field(default_factory=list)
    """Of each reference face with the best box that was found."""
    landmarks: list[float] = field(default_factory=list)
    """Mean distance over the width of the face."""
    extra: int = 0
    """Faces found that are none of the reference's."""

    def add(self, reference: Sequence[Face], found: Sequence[Face]) -> None:
        """Compare the faces of one image."""
        overlap = iou(_boxes(reference), _boxes(found))
        self.iou += overlap.max(axis=1, initial=0).tolist()
        self.extra += int((overlap.max(axis=0, initial=0) < 0.3).sum())
        for face, row in zip(reference, overlap, strict=True):
            if row.max(initial=0) > 0.5:
                apart = found[int(row.argmax())].landmarks - face.landmarks
                width = float(face.box[2] - face.box[0])
                self.landmarks.append(float(np.linalg.norm(apart, axis=1).mean()) / width)

    def share(self, least: float) -> float:
        """Share of the reference faces whose IoU is above ``least``."""
        return float(np.mean(np.asarray(self.iou) > least))

    def figures(self) -> dict[str, float]:
        """What goes into the table and the result file."""
        return {
            "faces": len(self.iou),
            "iou_above_0.95": self.share(0.95),
            "iou_above_0.9": self.share(0.9),
            "iou_above_0.5": self.share(0.5),
            "extra": self.extra,
            "landmarks_p95": float(np.quantile(self.landmarks, 0.95)),
        }


def agreement(wheel: Path, paths: Sequence[Path], count: int) -> dict[str, Agreement]:
    """Compare with facenet-pytorch, with its default parameters.

    Raises:
        InputError: the wheel or a path cannot be read, or no face was found.
    """
    from sealshot.benchmarks.accuracy.facenet import (
        facenet_mtcnn,  # needs PyTorch; the rest does not
    )

    ours = {
        name: open_detector(name, min_face_px=PEER_MIN_FACE_PX, threads=1)
        for name in ("mtcnn:exact", "mtcnn")
    }
    moved_name = "the peer itself, moved 1 px"
    tallies = {name: Agreement() for name in (*ours, moved_name)}
    with facenet_mtcnn(wheel, min_face_px=PEER_MIN_FACE_PX) as peer:
        for image in pictures(paths, count):
            reference = peer.detect(image)
            for name, detector in ours.items():
                tallies[name].add(reference, detector.detect(image))
            moved = np.pad(image, ((1, 0), (1, 0), (0, 0)), mode="edge")
            tallies[moved_name].add(reference, [shifted(f, -1, -1) for f in peer.detect(moved)])
    if not tallies[moved_name].landmarks:
        raise InputError("no face was found in these pictures", hint="name others")
    return tallies


@dataclass
class Recall:
    """What one set of parameters finds."""

    clips: Agreement = field(default_factory=Agreement)
    """Against the published parameters, faces of 40 px or more."""
    hard: Agreement = field(default_factory=Agreement)
    """Against the known place of shrunk and spoilt faces."""
    moved: Agreement = field(default_factory=Agreement)
    """Against itself, when the image is moved by a few pixels."""
    found: int = 0
    unconfirmed: int = 0
    """Faces found in clips, and those of them that the confirming detector does not see."""
    cpu_ms: list[float] = field(default_factory=list)
    """Processor time of each frame of the clips."""

    def figures(self) -> dict[str, float | None]:
        """What goes into the table and the result file; None where nothing was measured."""
        return {
            "clip_faces": len(self.clips.iou),
            "clip_recall": self.clips.share(0.4) if self.clips.iou else None,
            "found": self.found,
            "unconfirmed": self.unconfirmed,
            "hard_faces": len(self.hard.iou),
            "hard_recall": self.hard.share(0.4) if self.hard.iou else None,
            "moved_iou": float(np.mean(self.moved.iou)) if self.moved.iou else None,
            "cpu_ms": median(self.cpu_ms) if self.cpu_ms else None,
        }


def recall(paths: Sequence[Path], count: int, confirm: Detector | None) -> dict[str, Recall]:
    """Measure each deviation from the published parameters.

    Raises:
        InputError: a path cannot be read.
    """
    detectors = {
        name: Mtcnn(min_face_px=MIN_FACE_PX, threads=1, settings=settings)
        for name, settings in DEVIATIONS.items()
    }
    published = next(iter(detectors.values()))
    tallies = {name: Recall() for name in detectors}
    chance = random.Random(SEED)
    for image in pictures([p for p in paths if not p.is_dir()], count):
        reference = [f for f in published.detect(image) if f.box[2] - f.box[0] >= SEEN_PX]
        seen = _boxes(confirm.detect(image)) if confirm else None
        x, y = chance.randint(1, 9), chance.randint(1, 9)
        for name, detector in detectors.items():
            tally, start = tallies[name], time.thread_time()
            found = detector.detect(image)
            tally.cpu_ms.append(1e3 * (time.thread_time() - start))
            tally.clips.add(reference, found)
            inside = [f for f in found if f.box[0] > x and f.box[1] > y]
            again = [shifted(face, x, y) for face in detector.detect(image[y:, x:])]
            tally.moved.add(inside, again)
            if seen is not None:
                best = iou(_boxes(found), seen).max(axis=1, initial=0)
                tally.found += len(found)
                tally.unconfirmed += int((best < 0.2).sum())
    for image in pictures([p for p in paths if p.is_dir()], count):
        faces = [face for face in published.detect(image) if face.score > 0.98]
        if len(faces) == 1:
            spoilt, face = spoil(image, faces[0], chance)
            for name, detector in detectors.items():
                tallies[name].hard.add([face], detector.detect(spoilt))
    return tallies


def spoil(image: Image, face: Face, chance: random.Random) -> tuple[Image, Face]:
    """Shrink the picture until the face is 40-70 px wide, turn, blur, darken it and add noise."""
    width = float(face.box[2] - face.box[0])
    scale = min(1.0, chance.choice(HARD_PX) / width)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    box = face.box * scale
    centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    turn = cv2.getRotationMatrix2D(centre, chance.uniform(-30, 30), 1)
    turned = cv2.warpAffine(small, turn, small.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    blurred = cv2.GaussianBlur(turned, (0, 0), chance.uniform(0.3, 2))
    noise = np.random.default_rng(chance.getrandbits(32)).normal(size=blurred.shape)
    spoilt = blurred * chance.uniform(0.25, 1) + noise * chance.uniform(0, 8)
    image = spoilt.clip(0, 255).astype(np.uint8)
    return image, Face(box, face.score, face.landmarks * np.float32(scale))


class _TimedSampler:
    """A sampler that adds up how long it takes."""

    def __init__(self, make: Callable[[Image], Sampler], spent: dict[str, float], image: Image):
        start = time.perf_counter()
        self._sampler, self._spent = make(image), spent
        spent["sampling"] = time.perf_counter() - start

    def level(
        self, width: int, height: int, rows: slice = ALL, columns: slice = ALL
    ) -> Floats | Image:
        start = time.perf_counter()
        level = self._sampler.level(width, height, rows, columns)
        self._spent["sampling"] += time.perf_counter() - start
        return level

    def crops(self, regions: Floats, side: int) -> Floats:
        start = time.perf_counter()
        crops = self._sampler.crops(regions, side)
        self._spent["sampling"] += time.perf_counter() - start
        return crops


class _TimedRunner(Runner):
    """A network that notes how long it takes and how many images it gets."""

    def __init__(self, runner: Runner, name: str, spent: dict[str, float]) -> None:
        self._runner, self._name, self._spent = runner, name, spent
        self.description, self.inputs, self.outputs = (
            runner.description,
            runner.inputs,
            runner.outputs,
        )

    def run(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """See :meth:`Runner.run`."""
        start = time.perf_counter()
        result = self._runner.run(inputs)
        name, seconds = self._name, time.perf_counter() - start
        self._spent[name] = self._spent.get(name, 0.0) + seconds
        images = f"{name} images"
        self._spent[images] = self._spent.get(images, 0) + len(inputs["image"])
        return result


class TimedMtcnn(Mtcnn):
    """MTCNN that keeps the wall time of each stage of the last image in ``spent``."""

    def __init__(self, settings: Settings, threads: int) -> None:
        self.spent: dict[str, float] = {}
        sampler = partial(_TimedSampler, settings.sampler, self.spent)
        super().__init__(
            min_face_px=MIN_FACE_PX, threads=threads, settings=replace(settings, sampler=sampler)
        )
        self._pnets = {
            stride: _TimedRunner(net, "P-net", self.spent) for stride, net in self._pnets.items()
        }
        self._rnet = _TimedRunner(self._rnet, "R-net", self.spent)
        self._onet = _TimedRunner(self._onet, "O-net", self.spent)


STAGES = ("sampling", "P-net", "R-net", "O-net")


def speed(clip: Path, count: int) -> list[dict[str, Any]]:
    """Time the stages of both settings on the frames of a clip, in turns.

    Raises:
        InputError: the clip cannot be read.
    """
    frames = list(pictures([clip], count))
    rows = []
    before = cv2.getNumThreads()
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        detectors = {
            name: TimedMtcnn(settings, threads)
            for name, settings in (("mtcnn", FAST), ("mtcnn:exact", EXACT))
        }
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in detectors}
        for turn, frame in enumerate([frames[0], *frames]):
            for name, detector in detectors.items():
                detector.spent.clear()
                wall, cpu = time.perf_counter(), time.process_time()
                faces = len(detector.detect(frame))
                spent = {"total": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
                spent |= {"faces": faces, **detector.spent}
                if turn:  # the first warms up
                    measured[name].append(spent)
        for name, all_spent in measured.items():
            row: dict[str, Any] = {"detector": name, "threads": threads}
            for key in ("total", "cpu", *STAGES):
                row[f"{key}_ms"] = 1e3 * median(spent.get(key, 0.0) for spent in all_spent)
            for key in ("R-net images", "O-net images", "faces"):
                row[key] = median(spent.get(key, 0.0) for spent in all_spent)
            rows.append(row)
    cv2.setNumThreads(before)
    return rows


def _boxes(faces: Sequence[Face]) -> Floats:
    return np.asarray([face.box for face in faces], np.float32).reshape(-1, 4)


def shifted(face: Face, x: int, y: int) -> Face:
    """Return the face of a picture that was moved by some pixels."""
    shift = np.asarray([x, y], np.float32)
    return Face(face.box + np.tile(shift, 2), face.score, face.landmarks + shift)


def main(argv: list[str]) -> int:
    """Run the benchmark that ``argv`` names."""
    arguments = Arguments("bench detection", USAGE)
    add = arguments.add_argument
    add("command", choices=("agreement", "recall", "following", "speed"))
    add("paths", nargs="+", type=Path)
    add("--count", type=positive_int, default=150)
    add("--every", type=positive_int)
    add("--confirm")
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    for option, command in {"every": "following", "confirm": "recall"}.items():
        if getattr(given, option) is not None and given.command != command:
            arguments.error(f"--{option} is for `{command}` alone")
    every = given.every or 1
    rows: list[dict[str, Any]]
    if given.command == "speed":
        rows = speed(given.paths[0], given.count)
    elif given.command == "following":
        from sealshot.benchmarks.accuracy.following import follow  # which needs this module

        rows = [row for clip in given.paths for row in follow(clip, given.count, every)]
    elif given.command == "recall":
        confirm = open_detector(given.confirm, min_face_px=20) if given.confirm else None
        tallies = recall(given.paths, given.count, confirm)
        rows = [{"parameters": name, **tally.figures()} for name, tally in tallies.items()]
    else:
        wheel, *paths = given.paths
        compared = agreement(wheel, paths, given.count)
        rows = [{"detector": name, **tally.figures()} for name, tally in compared.items()]
    result = {
        "benchmark": given.command,
        "paths": [path.name for path in given.paths],
        "count": given.count,
        "every": every,
        "rows": rows,
        "environment": asdict(environment()),
    }
    if given.json:
        say_json(result)
    else:
        head, *figures = rows[0]
        table(
            (head, *(f">{name.replace('_', ' ')}" for name in figures)),
            [[_text(value) for value in row.values()] for row in rows],
        )
    if given.output:
        write_result(given.output, result)
    return 0


def _text(value: Any) -> str:
    if value is None:
        return "not measured"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
