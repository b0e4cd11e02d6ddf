"""Both trackers on made scenes whose truth is known: identity switches, fragments, false tracks."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from sealshot.runtime.track import Tracker, open_tracker
from sealshot.runtime.types import Face

Path = Callable[[float], tuple[float, float, float]]
"""Time in seconds -> centre x, centre y, size in pixels."""


@dataclass(frozen=True)
class Person:
    path: Path
    hidden: Sequence[tuple[float, float]] = ()
    """From, to in seconds: not detected."""
    dips: Sequence[tuple[float, float]] = ()
    """From, to in seconds: detected with a low score and a worse box."""


@dataclass(frozen=True)
class Scene:
    people: Sequence[Person]
    seconds: float = 4.0
    fps: float = 25.0
    jitter: float = 0.02
    """Standard deviation of the box, in face sizes."""
    missed: float = 0.0
    """Share of detections that are missing."""
    clutter: float = 0.0
    """False detections a frame, with low scores, near faces."""
    seed: int = 0
    times: Sequence[float] = field(default=())

    def frames(self) -> list[tuple[float, list[tuple[int | None, Face]]]]:
        """Each frame's time and faces, each with the person it is of (None: a false one)."""
        rng = np.random.default_rng(self.seed)
        times = self.times or np.arange(0, self.seconds, 1 / self.fps).tolist()
        return [(t, self._faces(t, rng)) for t in times]

    def _faces(self, t: float, rng: np.random.Generator) -> list[tuple[int | None, Face]]:
        faces: list[tuple[int | None, Face]] = []
        for number, person in enumerate(self.people):
            centre_x, centre_y, size = person.path(t)
            noise = rng.normal(size=4)
            missed = rng.random() < self.missed
            if missed or size <= 0 or any(a <= t < b for a, b in person.hidden):
                continue
            low = any(a <= t < b for a, b in person.dips)
            noise *= self.jitter * (2 if low else 1)
            box = face_box(centre_x + noise[0] * size, centre_y + noise[1] * size, size)
            box[2:] += (noise[2:] * size).astype(np.float32)
            faces.append((number, face(box, 0.45 if low else 0.99)))
            if rng.random() < self.clutter:
                away = rng.uniform(0.6, 1.5) * size
                turn = rng.uniform(0, 2 * np.pi)
                at = centre_x + away * np.cos(turn), centre_y + away * np.sin(turn)
                faces.append((None, face(face_box(*at, size * rng.uniform(0.5, 1)), 0.5)))
        order = rng.permutation(len(faces))
        return [faces[i] for i in order]


def face_box(centre_x: float, centre_y: float, size: float) -> np.ndarray:
    half = np.array([0.44, 0.57]) * size  # faces are higher than wide
    centre = np.array([centre_x, centre_y])
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def face(box: Sequence[float] | np.ndarray, score: float = 0.99) -> Face:
    return Face(np.asarray(box, np.float32), score, np.zeros((5, 2), np.float32))


def line(x: float, y: float, size: float, vx: float = 0.0, vy: float = 0.0) -> Path:
    """Straight on; speeds in face sizes a second."""
    return lambda t: (x + vx * size * t, y + vy * size * t, size)


@dataclass(frozen=True)
class Errors:
    """What a tracker got wrong."""

    switches: int
    """Times a track went on with another person."""
    fragments: int
    """Tracks beyond the first that a person was given."""
    false: int
    """Tracks of three and more faces that are no person's."""

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.switches + other.switches,
            self.fragments + other.fragments,
            self.false + other.false,
        )


def errors(tracker: Tracker, scene: Scene) -> Errors:
    """Run a tracker over a scene and count."""
    tracks: dict[int, list[int | None]] = defaultdict(list)
    for time_s, faces in scene.frames():
        owner = {id(f): person for person, f in faces}
        for track in tracker.update(time_s, [f for _, f in faces]).seen:
            tracks[track.id].append(owner[id(track.face)])
    switches = false = 0
    owners: Counter[int] = Counter()
    for people in tracks.values():
        known = [p for p in people if p is not None]
        switches += sum(a != b for a, b in itertools.pairwise(known))
        owners.update(set(known))
        false += len(people) >= 3 and len(known) < len(people) / 2
    return Errors(switches, sum(n - 1 for n in owners.values()), false)


def approach(t: float) -> tuple[float, float, float]:
    """Walk up to the camera: four times the size in three seconds, with the bob of steps."""
    size = 40 * 4 ** (t / 3)
    return 300 + 0.4 * size, 200 + 0.08 * size * np.sin(2 * np.pi * 1.8 * t), size


def cut(before: Path, after: Path, at: float) -> tuple[Person, Person]:
    """One person up to a cut, another from then on."""
    return Person(before, hidden=[(at, 99)]), Person(after, hidden=[(0, at)])


SCENES: dict[str, Callable[[int], Scene]] = {
    "two stand still": lambda s: Scene(
        [Person(line(100, 100, 50)), Person(line(200, 100, 50))], seed=s
    ),
    "two cross, the far one hidden": lambda s: Scene(
        [
            Person(line(0, 200, 60, vx=2.5)),
            Person(line(600, 195, 50, vx=-3.0), hidden=[(1.75, 2.25)]),
        ],
        seed=s,
    ),
    "two pass close by": lambda s: Scene(
        [Person(line(0, 200, 60, vx=2.0)), Person(line(480, 250, 60, vx=-2.0))], seed=s
    ),
    "hidden for half a second": lambda s: Scene(
        [
            Person(line(100, 100, 50, vx=0.5), hidden=[(1.5, 2.0)]),
            Person(line(300, 110, 60, vy=0.3), hidden=[(2.2, 2.7)]),
        ],
        seed=s,
    ),
    "hidden while walking across": lambda s: Scene(
        [Person(line(0, 100, 50, vx=2.0), hidden=[(1.5, 1.9)])], seed=s
    ),
    "walks up to the camera": lambda s: Scene([Person(approach)], seconds=3.0, seed=s),
    "walks up, seen 12 times a second": lambda s: Scene(
        [Person(approach)], seconds=3.0, fps=12.0, jitter=0.04, seed=s
    ),
    "every third face missed": lambda s: Scene(
        [Person(line(100 + 90 * i, 100, 50, vx=0.8)) for i in range(4)], missed=0.33, seed=s
    ),
    "two sit, seen now and then": lambda s: Scene(
        [
            Person(line(100, 100, 40), hidden=[(0.24, 0.9), (1.14, 1.8), (2.2, 3.1)]),
            Person(line(160, 100, 40), hidden=[(0.4, 1.2), (1.5, 2.3), (2.6, 3.2)]),
        ],
        seed=s,
    ),
    "one gets up, another takes the place": lambda s: Scene(
        [
            Person(lambda t: (100 + 150 * max(t - 1, 0), 100.0, 50.0), hidden=[(2.2, 99)]),
            Person(line(100, 100, 50), hidden=[(0, 1.6)]),
        ],
        seconds=3.0,
        seed=s,
    ),
    "boxes that shake": lambda s: Scene(
        [Person(line(100 + 80 * i, 100, 50)) for i in range(4)], jitter=0.04, seed=s
    ),
    "score dips among false faces": lambda s: Scene(
        [
            Person(line(150, 150, 60, vx=1.0), dips=[(1.0, 1.5), (2.0, 2.8)]),
            Person(line(500, 200, 60, vx=-1.0), dips=[(0.8, 1.6)]),
        ],
        clutter=0.4,
        seed=s,
    ),
    "crosses fast, seen 12 times a second": lambda s: Scene(
        [Person(line(0, 100, 60, vx=8.0))], seconds=2.0, fps=12.5, seed=s
    ),
    "a row walks across, seen 12 times a second": lambda s: Scene(
        [Person(line(-90 * i, 100, 50, vx=9.0)) for i in range(4)], seconds=2.0, fps=12.5, seed=s
    ),
    "a cut to others nearby": lambda s: Scene(
        [
            *cut(line(100, 100, 60), line(124, 108, 62), 2.0),
            *cut(line(300, 110, 60), line(280, 125, 70), 2.0),
            *cut(line(500, 100, 60), line(505, 95, 110), 2.0),
        ],
        fps=30.0,
        seed=s,
    ),
    "a cut while a face is turned away": lambda s: Scene(
        [*cut(line(100, 100, 60), line(150, 100, 60), 2.0), Person(line(400, 100, 60))],
        seed=s,
    ),
    "times that vary": lambda s: Scene(
        [Person(line(100, 100, 50, vx=2.0)), Person(line(400, 120, 50, vx=-1.0))],
        times=np.cumsum(np.random.default_rng(s).uniform(0.01, 0.15, 50)).tolist(),
        seed=s,
    ),
}


SEEDS = range(5)
BETTER = {
    "two cross, the far one hidden",
    "hidden for half a second",
    "hidden while walking across",
    "score dips among false faces",
    "crosses fast, seen 12 times a second",
    "a row walks across, seen 12 times a second",
    "a cut to others nearby",
    "two sit, seen now and then",
}
"""Scenes that need a motion model, a memory, two stages or a gate on size."""


def total(tracker: str, scene: str) -> Errors:
    return sum(
        (errors(open_tracker(tracker), SCENES[scene](seed)) for seed in SEEDS),
        Errors(0, 0, 0),
    )


@pytest.mark.parametrize("scene", SCENES)
def test_bytetrack_makes_no_mistake(scene: str) -> None:
    assert total("bytetrack", scene) == Errors(0, 0, 0)


@pytest.mark.parametrize("scene", sorted(SCENES.keys() - BETTER))
def test_euclidean_makes_no_mistake_where_faces_stay_near(scene: str) -> None:
    assert total("euclidean", scene) == Errors(0, 0, 0)


@pytest.mark.parametrize("scene", sorted(BETTER))
def test_these_scenes_are_beyond_euclidean(scene: str) -> None:
    assert total("euclidean", scene) != Errors(0, 0, 0)


def test_the_count_finds_a_switch_and_a_fragment() -> None:
    left, right = line(100, 100, 50), line(110, 100, 50)
    moved = Scene(cut(left, right, 1.0), jitter=0.0)
    assert errors(open_tracker("euclidean"), moved) == Errors(1, 0, 0)
    away = Scene([Person(left, hidden=[(1.0, 3.0)])], jitter=0.0)
    assert errors(open_tracker("bytetrack"), away) == Errors(0, 1, 0)


@pytest.mark.parametrize("fps", [8.0, 12.0, 30.0, 60.0])
def test_bytetrack_holds_at_any_frame_rate(fps: float) -> None:
    people = [
        Person(approach),
        Person(line(900, 100, 60, vx=-1.5), hidden=[(1.0, 1.4)]),
    ]
    for seed in SEEDS:
        scene = Scene(people, seconds=3.0, fps=fps, seed=seed)
        assert errors(open_tracker("bytetrack"), scene) == Errors(0, 0, 0)
