"""`sealshot erc tracks`: is the shot that a score chooses of a track near other pictures of them?

Most of a track is far and soft, so that what is near to the rest of it is the typical frame, not
the best. Here the chosen frame is compared with a gallery, pictures of the same person that are not
of the track: what an investigator will compare it with.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from sealshot.benchmarks.accuracy.erc.choice import Cast, Shots, choose_for, threshold_of
from sealshot.benchmarks.accuracy.erc.curve import Doubles
from sealshot.benchmarks.accuracy.erc.eyes import judge_eyes, print_eyes, read_eyes
from sealshot.benchmarks.accuracy.erc.gallery import longest, open_gallery
from sealshot.benchmarks.accuracy.erc.labels import (
    QUESTIONS,
    print_viewed,
    read_labels,
    view,
)
from sealshot.benchmarks.accuracy.erc.shots import (
    DEFAULT_SCORES,
    FEWEST,
    OPTIONS_USAGE,
    add_options,
    by_name,
    tell,
)
from sealshot.benchmarks.accuracy.measures import open_measures
from sealshot.benchmarks.accuracy.measures.measure import Measure
from sealshot.benchmarks.data.faces import view_of
from sealshot.benchmarks.data.matcher import Matcher, distances
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.detect import Detector, open_detector, open_finder
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import frames_of, open_source
from sealshot.runtime.track import open_tracker
from sealshot.runtime.types import Floats

Rows = TypeVar("Rows")

USAGE = f"""
usage: sealshot erc tracks CLIP... --gallery DIR --recognizer MATCHER.onnx [--score SCORE]...

Follow the faces of clips. Per track, compare the frame that each score chooses with pictures of the
same person that are not of that clip, by a face matcher. `gained`: 0 % is as far from them as a
frame chosen at random, 100 % is as near as any frame can be. `missed`: the share of them that the
matcher takes for someone else. The intervals are over draws of tracks; those of one person are
alike, so mind how many people there are.

  --gallery DIR       holds a folder a person, with pictures and clips (links will do). A clip
                      counts as one picture, the mean of its longest track, and not for its own
                      tracks. A track is of the person in whose folder its clip lies, or else of the
                      nearest one; it is left out if that is too far for the matcher
  --eyes DIR          holds CLIP.csv for some clips: columns first,last,eyes (frames; open or
                      closed) of the clip's longest track. Say also how often each score chooses
                      closed eyes, and how often it puts open ones above closed ones
  --labels DIR        holds CLIP.csv for some clips, with what was seen in chosen frames: columns
                      frame,x,y (a point in the face),{",".join(QUESTIONS)}.
                      Say also in how many tracks each score chose what is wanted of them, and
                      how often it puts a labelled frame that has it above one that has not
  --tracker NAME      bytetrack (default), or euclidean
{OPTIONS_USAGE}

example:
  sealshot erc tracks signers/*.mkv --gallery people/ --recognizer matcher.onnx --score quality
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc tracks", USAGE)
    add = arguments.add_argument
    add("sources", nargs="+", type=Path)
    add("--gallery", type=Path, required=True)
    add("--eyes", type=Path)
    add("--labels", type=Path)
    add("--tracker", default="bytetrack")
    add_options(arguments)
    given = arguments.parse_args(argv)
    for folder in (given.eyes, given.labels):
        if folder and not folder.is_dir():
            raise InputError(f"there is no folder {folder}", hint="name the folder of the labels")

    clips = list(dict.fromkeys(path.resolve() for path in given.sources))
    labels_of_eyes = _labels(given.eyes, clips, read_eyes)
    labels_of_frames = _labels(given.labels, clips, read_labels)
    matcher = Matcher(given.recognizer, threads=given.threads)
    measures = open_measures(given.score or DEFAULT_SCORES, threads=given.threads, of_track=True)
    detector = open_detector(given.detector, threads=given.threads)

    @cache
    def seen_in(clip: Path) -> Cast:
        return follow(str(clip), detector, given.tracker, matcher, measures)

    gallery = open_gallery(given.gallery, lambda path: seen_in(path.resolve()), detector, matcher)
    casts = [seen_in(clip) for clip in clips]
    impostor = [gallery.impostor(), *(cast.impostor for cast in casts)]
    threshold = threshold_of(np.concatenate(impostor), given.fmr)
    fewest = max(given.min_shots, FEWEST)
    tracks = [(clip, s) for clip, c in zip(clips, casts, strict=True) for s in c.people]
    long = [(clip, shots) for clip, shots in tracks if len(shots.frame) >= fewest]
    found = [(shots, gallery.others(shots, clip, threshold)) for clip, shots in long]
    of = [(shots, *others) for shots, others in found if others]
    note(
        f"{len(tracks)} tracks: {len(tracks) - len(long)} have fewer than {fewest} frames, "
        f"{len(long) - len(of)} show nobody of the gallery; both are left out"
    )
    if not of:
        raise InputError(
            f"no track of {fewest} frames shows anybody of {given.gallery}",
            hint="the gallery must have pictures of those people beside the clips themselves",
        )
    chosen = [choose_for(s, others, gallery.distance, threshold) for s, _, others in of]
    names = [measure.name for measure in measures]
    compared = f"the gallery of {len({name for _, name, _ in of})} people"
    judged = [
        judge_eyes(longest(cast.people), labels_of_eyes[clip])
        for clip, cast in zip(clips, casts, strict=True)
        if clip in labels_of_eyes and cast.people
    ]
    eyes = [one for one in judged if one]
    viewed = [
        view(shots, labels_of_frames[clip]) for clip, shots in long if clip in labels_of_frames
    ]
    result = {
        "command": shlex.join(["sealshot", "erc", "tracks", *argv]),
        "gallery": [{"person": name, "pictures": len(others)} for _, name, others in of],
        "eyes": [by_name(vars(one), names) for one in eyes],
        "labels": [by_name(vars(one), names) for one in viewed],
    }
    tell(result, given, names, chosen, threshold, compared)
    if given.eyes and not given.json:
        print_eyes(names, eyes)
    if given.labels and not given.json:
        print_viewed(names, viewed)
    return 0


def _labels(
    folder: Path | None, clips: Sequence[Path], read: Callable[[Path], Rows]
) -> dict[Path, Rows]:
    """Read the labels of the clips that a folder has some of.

    Raises:
        InputError: it has none, or one that cannot be read.
    """
    if not folder:
        return {}
    files = {clip: folder / f"{clip.stem}.csv" for clip in clips}
    labels = {clip: read(file) for clip, file in files.items() if file.is_file()}
    if not labels:
        wanted = " ".join(sorted(file.name for file in files.values()))
        raise InputError(f"{folder} has labels of none of the clips", hint=f"it takes {wanted}")
    return labels


def follow(
    clip: str, detector: Detector, tracker: str, matcher: Matcher, measures: Sequence[Measure]
) -> Cast:
    """Follow the faces of a clip; embed and rate each detection.

    Raises:
        InputError: the clip cannot be read.
    """
    found: dict[int, list[tuple[int, Floats, Floats, Doubles]]] = {}
    impostor = [np.empty(0)]
    finder, following = open_finder(detector), open_tracker(tracker)
    source = open_source(clip)
    with source, progress(Path(clip).name, source.frames) as bar:
        for frame in frames_of(source):
            seen = following.update(frame.time_s, finder.look(frame.time_s, frame.pixels)()).seen
            bar.update(frame.index + 1, f"{len(found)} tracks")
            if not seen:
                continue
            aligned = [matcher.align(frame.image, track.face.landmarks) for track in seen]
            views = [view_of(frame.image, track.face) for track in seen]
            rated = np.stack([measure.rate(views) for measure in measures], axis=1)
            embeddings = matcher.embed(aligned)
            left, right = np.triu_indices(len(seen), 1)
            kind = matcher.alignment.distance
            impostor.append(distances(embeddings[left], embeddings[right], kind))
            for track, embedding, quality in zip(seen, embeddings, rated, strict=True):
                shot = frame.index, track.face.box, embedding, quality
                found.setdefault(track.id, []).append(shot)
    people = tuple(
        Shots(
            source=Path(clip).name,
            person=id,
            frame=np.array(frame),
            box=np.stack(box),
            embedding=np.stack(embedding),
            quality=np.stack(quality, axis=1),
        )
        for id, shots in found.items()
        for frame, box, embedding, quality in [zip(*shots, strict=True)]
    )
    return Cast(people, np.concatenate(impostor))
