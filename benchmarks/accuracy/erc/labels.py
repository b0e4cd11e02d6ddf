"""What a viewer sees in the frames that scores choose: labelled by hand, blind to the score.

Only frames that some score chose are labelled. A track says something of a question, such as
whether both eyes are open, if some labelled frame of it has what is wanted; whoever chose another
frame could have had that one. Of such tracks all scores are counted alike. Chosen frames are few,
so the pairs of labelled frames are asked as well: does the one that has it stand above the other?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.choice import Shots
from sealshot.benchmarks.data.rows import read_rows
from sealshot.runtime.cli.terminal import say, table
from sealshot.runtime.errors import InputError

UNCLEAR = "unclear"
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "eyes": ("open", "one", "closed", UNCLEAR),
    "gaze": ("camera", "away", UNCLEAR),
    "mouth": ("closed", "open", UNCLEAR),
    "sharp": ("yes", "slightly", "no"),
    "whole": ("yes", "no"),
    "turned": ("frontal", "half", "profile"),
}
"""The first answer is what is wanted. Nothing hides a part of a face that is `whole`."""
ALL = "all of it"
HINT = "the columns are frame,x,y,{}; {}".format(
    ",".join(QUESTIONS),
    "; ".join(f"{question} is {' or '.join(words)}" for question, words in QUESTIONS.items()),
)


@dataclass(frozen=True)
class Label:
    """What is to be seen of one face in one frame of a clip."""

    frame: int
    x: float
    """Pixels; a point within the face that is meant."""
    y: float
    answers: Mapping[str, str]
    """By question."""


@dataclass(frozen=True, eq=False)
class Viewed:
    """What a viewer sees in the frames that scores choose of one track."""

    source: str
    person: int
    frame: tuple[int, ...]
    """By score: the chosen one."""
    answers: tuple[Mapping[str, str] | None, ...]
    """By score: of the chosen frame; None where nobody labelled it."""
    possible: Mapping[str, bool]
    """By question, and for :data:`ALL`: whether some labelled frame of the track has what is
    wanted."""
    pairs: Mapping[str, int]
    """By question: those of a labelled frame that has what is wanted and one that has not; what is
    unclear is in none."""
    ordered: tuple[Mapping[str, float], ...]
    """By score, then by question: how many of the pairs stand in order."""


def read_labels(file: Path) -> list[Label]:
    """Read a file of labels.

    Raises:
        InputError: it cannot be read, or a row is something else.
    """
    rows = read_rows(
        file,
        lambda r: Label(
            int(r["frame"]), float(r["x"]), float(r["y"]), {q: r[q] for q in QUESTIONS}
        ),
        "holds no labels of frames",
        HINT,
    )
    for row in rows:
        for question, answer in row.answers.items():
            if answer not in QUESTIONS[question]:
                raise InputError(f"{file} says '{answer}' of {question}", hint=HINT)
        if row.frame < 0 or not (0 <= row.x < inf and 0 <= row.y < inf):
            raise InputError(f"{file} says {row.frame},{row.x:g},{row.y:g}", hint=HINT)
    return rows


def view(shots: Shots, labels: Sequence[Label]) -> Viewed:
    """Say what a viewer sees in the frames that scores choose of a track.

    Args:
        shots: the track, with its boxes.
        labels: of its clip.
    """
    assert shots.box is not None
    said: dict[int, Mapping[str, str]] = {}
    for shot, (frame, box) in enumerate(zip(shots.frame, shots.box, strict=True)):
        for label in labels:
            within = box[0] <= label.x <= box[2] and box[1] <= label.y <= box[3]
            if label.frame == frame and within:
                said[shot] = label.answers
    best = [int(shot) for shot in shots.chosen()]
    parts = {question: _part(said, question) for question in QUESTIONS}
    ordered = {question: shots.ordered(*part).tolist() for question, part in parts.items()}
    return Viewed(
        source=shots.source,
        person=shots.person,
        frame=tuple(int(shots.frame[shot]) for shot in best),
        answers=tuple(said.get(shot) for shot in best),
        possible={
            what: any(what in wanted_of(answers) for answers in said.values())
            for what in (*QUESTIONS, ALL)
        },
        pairs={question: len(had) * len(had_not) for question, (had, had_not) in parts.items()},
        ordered=tuple(
            {question: by_score[score] for question, by_score in ordered.items()}
            for score in range(len(best))
        ),
    )


def _part(
    said: Mapping[int, Mapping[str, str]], question: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Part the labelled shots into those that have what is wanted and those that have not."""
    wanted = QUESTIONS[question][0]
    clear = [shot for shot, answers in said.items() if answers[question] != UNCLEAR]
    had = [shot for shot in clear if said[shot][question] == wanted]
    return np.array(had, np.int64), np.array([s for s in clear if s not in had], np.int64)


def count(viewed: Sequence[Viewed], score: int) -> dict[str, tuple[int, int]]:
    """Count in how many tracks a score chose what is wanted, and in how many it could have.

    Args:
        viewed: the tracks.
        score: its place among the scores.

    Returns:
        By question, and for :data:`ALL`.
    """
    good = [wanted_of(track.answers[score]) for track in viewed]
    return {
        what: (sum(what in had for had in good), sum(track.possible[what] for track in viewed))
        for what in (*QUESTIONS, ALL)
    }


def in_order(viewed: Sequence[Viewed], score: int) -> dict[str, tuple[float, int]]:
    """Return by question what share of the pairs a score puts in order, and how many there are.

    The pairs of all tracks count alike; the share is NaN where there is none.
    """
    pairs = {q: sum(track.pairs[q] for track in viewed) for q in QUESTIONS}
    right = {q: sum(track.ordered[score][q] for track in viewed) for q in QUESTIONS}
    return {q: (right[q] / n if n else float("nan"), n) for q, n in pairs.items()}


def wanted_of(answers: Mapping[str, str] | None) -> set[str]:
    """Return to which questions a frame has the wanted answer, and :data:`ALL` if to all."""
    good = {q for q, (wanted, *_) in QUESTIONS.items() if answers and answers[q] == wanted}
    return good | {ALL} if len(good) == len(QUESTIONS) else good


def print_viewed(names: Sequence[str], viewed: Sequence[Viewed]) -> None:
    """Print in how many tracks each score chose what is wanted."""
    counts = [count(viewed, i) for i in range(len(names))]
    unknown = [sum(track.answers[i] is None for track in viewed) for i in range(len(names))]
    say(f"Tracks labelled by hand: {sum(any(track.possible.values()) for track in viewed)}")
    wanted = {**{q: f"{q}: {words[0]}" for q, words in QUESTIONS.items()}, ALL: ALL}
    heads = (f">{wanted[what]} (of {could})" for what, (_, could) in counts[0].items())
    table(
        ["score", *heads, ">not labelled"],
        [
            [name, *(str(had) for had, _ in chose.values()), str(missing)]
            for name, chose, missing in zip(names, counts, unknown, strict=True)
        ],
    )
    shares = [in_order(viewed, i) for i in range(len(names))]
    say("Share of the pairs of labelled frames of a track that stand in order, %")
    table(
        ["score", *(f">{wanted[q]} (of {pairs})" for q, (_, pairs) in shares[0].items())],
        [
            [name, *(f"{100 * share:.0f}" for share, _ in of.values())]
            for name, of in zip(names, shares, strict=True)
        ],
    )
