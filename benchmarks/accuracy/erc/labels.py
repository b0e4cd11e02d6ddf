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
from numpy.typing import ArrayLike, NDArray

from sealshot.benchmarks.accuracy.erc.bootstrap import interval
from sealshot.benchmarks.accuracy.erc.choice import REPLICATES, Shots
from sealshot.benchmarks.accuracy.erc.curve import Doubles
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


@dataclass(frozen=True)
class Ordered:
    """What share of the pairs of labelled frames a score puts in order; NaN where there is none."""

    pairs: int
    share: float
    ahead: float
    """What the share is more than that of the first score."""
    ahead_low: float
    """The 95 % interval of that, by draws of tracks."""
    ahead_high: float

    def cell(self, unit: str = "") -> str:
        """Return the share in a hundred, and how far that is from the share of the first score."""
        text = f"{100 * self.share:.0f}{unit}"
        low, high = 100 * self.ahead_low, 100 * self.ahead_high
        if not (low < 0 or high > 0):  # the first score, one that is alike, or no pair
            return text
        return f"{text} ({100 * self.ahead:+.0f} [{low:.0f}, {high:.0f}])"


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


def in_order(pairs: ArrayLike, right: ArrayLike) -> list[Ordered]:
    """Say of each score what share of the pairs it puts in order, and what more than the first.

    The pairs of all tracks count alike.

    Args:
        pairs: ``[tracks]``: how many each has.
        right: ``[scores, tracks]``: how many of them stand in order.
    """
    counts, ordered = np.asarray(pairs), np.asarray(right, float)
    asked = counts > 0  # a draw of tracks without a pair says nothing
    counts, ordered = counts[asked], ordered[:, asked]
    if not counts.size:
        return [Ordered(0, *[float("nan")] * 4)] * len(ordered)

    def share(tracks: NDArray[np.int64]) -> Doubles:
        return np.asarray(ordered[:, tracks].sum(axis=-1) / counts[tracks].sum(axis=-1))

    of_all = share(np.arange(len(counts)))
    draws = share(np.random.default_rng(0).integers(0, len(counts), (REPLICATES, len(counts))))
    low, high = interval((draws - draws[0]).T)
    columns = of_all, of_all - of_all[0], low, high
    return [Ordered(int(counts.sum()), *map(float, row)) for row in zip(*columns, strict=True)]


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
    say("Share of the pairs of labelled frames of a track that stand in order, %, and how far from")
    say(f"that of {names[0]}, with its 95 % interval by draws of tracks")
    by_question = {
        q: in_order(
            [track.pairs[q] for track in viewed],
            [[track.ordered[i][q] for track in viewed] for i in range(len(names))],
        )
        for q in QUESTIONS
    }
    table(
        ["score", *(f">{wanted[q]} (of {of[0].pairs})" for q, of in by_question.items())],
        [[name, *(of[i].cell() for of in by_question.values())] for i, name in enumerate(names)],
    )
