"""What pipelines found on a clip, by hand labels, and what the pictures that they kept are worth.

The kept pictures are judged alike, whoever chose them: on the frame of a shot MTCNN as published
looks for its face again, and that is what the matcher and LightQNet see.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealshot.benchmarks.accuracy.erc.choice import Cast, threshold_of
from sealshot.benchmarks.accuracy.erc.gallery import Gallery, open_gallery
from sealshot.benchmarks.accuracy.erc.tracks import follow
from sealshot.benchmarks.accuracy.measures import open_measure, open_measures
from sealshot.benchmarks.accuracy.measures.measure import Measure
from sealshot.benchmarks.accuracy.tracking import (
    LARGE_S,
    SAME_FACE_IOU,
    Boxes,
    Errors,
    iou,
    judge,
    read_truth,
    whose,
)
from sealshot.benchmarks.data.faces import view_of
from sealshot.benchmarks.data.matcher import Matcher, distances
from sealshot.runtime.detect import Detector, open_detector
from sealshot.runtime.pipeline.presence import Presence
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.types import Face

FMR = 0.01
"""Of the matcher's threshold: share of faces of different people that it takes for one person."""


@dataclass(frozen=True)
class Found:
    """What a pipeline says of a clip."""

    times: Sequence[float]
    """Of its frames, s."""
    tracks: Mapping[int, Boxes]
    shots: Mapping[str, Mapping[int, tuple[int, tuple[float, ...]]]]
    """Of each rule, of each track: frame, and box of the face."""

    def people(self) -> dict[int, Boxes]:
        """Return the tracks that are in view for what makes a person, see ``Settings``."""
        ids = defaultdict[int, set[int]](set)
        for track, boxes in self.tracks.items():
            for frame, _ in boxes:
                ids[frame].add(track)
        presence = Presence()
        for frame, time_s in enumerate(self.times):
            presence.add(time_s, ids[frame])
        presence.finish()
        return {
            track: boxes
            for track, boxes in self.tracks.items()
            if presence.reached(track, Settings.min_seen_s)
        }


@dataclass(frozen=True)
class Kept:
    """The picture of a person that a rule kept."""

    clip: str
    person: str
    no_face: bool
    """MTCNN as published finds none there."""
    lightqnet: float | None
    distance: float | None
    """Of the matcher, mean to the other pictures of the person; None without a gallery."""
    unlike: float | None
    """Share of these that it takes for somebody else."""


class Judge:
    """Holds what the clips are judged by."""

    def __init__(
        self,
        truth: Path | None,
        gallery: Path | None,
        recognizer: Path | None,
        lightqnet: Path | None,
    ) -> None:
        """Open the networks, and look at the gallery, which takes a while.

        Raises:
            InputError: a file or folder is missing or wrong.
        """
        self._truth = truth
        self._detector: Detector = open_detector("mtcnn:exact")
        self._lightqnet: Measure | None = (
            open_measure(f"lightqnet:{lightqnet}") if lightqnet else None
        )
        self._matcher: Matcher | None = None
        self._gallery: Gallery | None = None
        self._threshold = float("inf")
        if gallery and recognizer:
            matcher, detector = Matcher(recognizer), open_detector("mtcnn")
            size = open_measures(("size",))

            def seen_in(path: Path) -> Cast:
                return follow(str(path), detector, Settings.tracker, matcher, size)

            self._matcher = matcher
            self._gallery = open_gallery(gallery, seen_in, detector, matcher)
            self._threshold = threshold_of(self._gallery.impostor(), FMR)

    def errors(self, clip: Path, found: Found) -> Errors | None:
        """Count what is wrong with the tracks; None where nobody labelled the clip."""
        labels = self._labels(clip)
        if not labels:
            return None
        enough = LARGE_S * (len(found.times) - 1) / (found.times[-1] or 1.0)
        return judge(found.people(), labels, enough)

    def kept(self, clip: Path, found: Mapping[str, Found]) -> dict[tuple[str, str], list[Kept]]:
        """Judge the pictures that were kept of those whom all pipelines found.

        Args:
            clip: the video.
            found: by each pipeline.

        Returns:
            By pipeline and rule, the same people in the same order.
        """
        main = {name: self._main_tracks(clip, one) for name, one in found.items()}
        people = sorted(set.intersection(*(set(of) for of in main.values())))
        wanted: dict[int, list[tuple[tuple[str, str], str, tuple[float, ...]]]] = defaultdict(list)
        kept: dict[tuple[str, str], list[Kept]] = {}
        for name, one in found.items():
            for rule, shots in one.shots.items():
                kept[name, rule] = []
                for person in people:
                    frame, box = shots[main[name][person]]
                    wanted[frame].append(((name, rule), person, box))
        if not wanted:
            return kept
        with open_source(str(clip)) as source:
            for picture in frames_of(source):
                if picture.index in wanted:
                    faces = self._detector.detect(picture.image)
                    for who, person, box in wanted[picture.index]:
                        kept[who].append(self._judged(clip, person, picture.image, faces, box))
        return {who: sorted(of, key=lambda one: one.person) for who, of in kept.items()}

    def _judged(
        self,
        clip: Path,
        person: str,
        image: np.ndarray,
        faces: Sequence[Face],
        box: Sequence[float],
    ) -> Kept:
        place = np.asarray(box, np.float32)
        face = max(faces, key=lambda one: iou(one.box, place), default=None)
        if face is None or iou(face.box, place) < SAME_FACE_IOU:
            return Kept(clip.name, person, True, None, None, None)
        rated = distance = unlike = None
        if self._lightqnet:
            rated = float(self._lightqnet.rate([view_of(image, face)])[0])
        others = self._others(clip, person)
        if self._matcher and others is not None:
            own = self._matcher.embed([self._matcher.align(image, face.landmarks)])
            kind = self._matcher.alignment.distance
            apart = distances(np.broadcast_to(own, others.shape), others, kind)
            distance, unlike = float(apart.mean()), float((apart >= self._threshold).mean())
        return Kept(clip.name, person, False, rated, distance, unlike)

    def _others(self, clip: Path, person: str) -> np.ndarray | None:
        """Return ``[n, d]``: what the gallery has of a person beside the clip; None: nothing."""
        portraits = self._gallery.portraits if self._gallery else ()
        of_person = [
            one.template
            for one in portraits
            if one.person == person and one.source != clip.resolve()
        ]
        return np.stack(of_person) if of_person else None

    def _main_tracks(self, clip: Path, found: Found) -> dict[str, int]:
        """Return the longest track of each person that is known.

        By the labels that is whoever they name most often of a track; of a clip of the gallery it
        is the person of its folder, whose track is the longest of all.
        """
        shown = set.intersection(*(set(shots) for shots in found.shots.values()))
        people = [(track, boxes) for track, boxes in found.people().items() if track in shown]
        tracks = sorted(people, key=lambda one: -len(one[1]))
        labels = self._labels(clip)
        if not labels:
            portraits = self._gallery.portraits if self._gallery else ()
            names = {one.person for one in portraits if one.source == clip.resolve()}
            return {name: tracks[0][0] for name in names if tracks}
        of_frame = defaultdict[int, list[tuple[int, np.ndarray]]](list)
        for person, faces in labels.items():
            for frame, box in faces:
                of_frame[frame].append((person, box))
        longest: dict[str, int] = {}
        for track, boxes in tracks:
            who = Counter(whose(box, of_frame[frame]) for frame, box in boxes).most_common(1)[0][0]
            if who is not None:
                longest.setdefault(str(who), track)
        return longest

    def _labels(self, clip: Path) -> dict[int, Boxes]:
        file = self._truth and self._truth / f"{clip.stem}.csv"
        return read_truth(file) if file and file.exists() else {}
