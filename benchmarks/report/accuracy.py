"""The tables of how good the scores are: error-versus-reject curves, choices, falls, groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sealshot.benchmarks.accuracy.erc.evaluate import FEW
from sealshot.benchmarks.accuracy.erc.labels import QUESTIONS, in_order, wanted_of
from sealshot.benchmarks.accuracy.measures.told import TOLD
from sealshot.benchmarks.report.cells import markdown_table, millions, read_result

SCORE_NAMES = {
    "lightqnet": "LightQNet",
    "lightqnet50": "LightQNet, half width",
    "size": "face size",
    "confidence": "MTCNN's confidence",
    "sharpness": "sharpness (Laplacian)",
    "reconstruction": "plain reconstruction error",
    "brisque": "BRISQUE",
    "icao": "ICAO proxies",
}


def erc(results: Path) -> str:
    """Failures left when the lowest 30 % are discarded, over those before; too few are left out."""
    found = read_result(results, "erc-lfw-dev")
    areas = _areas(found, "")
    macs = {name: millions(cost["macs"]) for name, cost in found["costs"].items()}
    return markdown_table(
        ("score", *areas, "MMACs"),
        (
            (_score_name(name), *(cells[name] for cells in areas.values()), macs[name])
            for name in _in_order(found)
        ),
    )


def mixed(results: Path) -> str:
    """The same of copies of the data sets, half of whose pictures are degraded."""
    lfw, celeba = (read_result(results, f"erc-{of}-dev-mixed") for of in ("lfw", "celeba"))
    areas = _areas(lfw, "LFW, ") | _areas(celeba, "CelebA, ")
    return markdown_table(
        ("score", *areas),
        (
            (_score_name(name), *(cells[name] for cells in areas.values()))
            for name in _in_order(lfw)
        ),
    )


OUR_SCORES = ("quality", "rp")


def _score_name(name: str) -> str:
    own = name in OUR_SCORES or name.startswith(TOLD)
    return f"`{name.removeprefix(TOLD)}`" if own else SCORE_NAMES.get(name, name)


def _area(row: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = next(area for area in row["pauc"] if area["limit"] == 0.3)
    return found


def _areas(found: dict[str, Any], of: str) -> dict[str, dict[str, str]]:
    """Heading of each curve that starts at an FNMR -> score -> pAUC(0.3) with its interval."""
    return {
        f"{of}{start['start']} ({start['errors']} failures)": {
            row["score"]: "{value:.2f} [{low:.2f}, {high:.2f}]".format_map(_area(row))
            for row in start["scores"]
        }
        for start in _from_fnmr(found)
    }


def _from_fnmr(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Starts at an FNMR that enough failures stand behind to tell scores apart."""
    return [
        start
        for start in found["starts"]
        if start["start"].startswith("FNMR") and start["errors"] >= FEW
    ]


def _in_order(found: dict[str, Any]) -> list[str]:
    """Our scores, then the others from the best at the first start."""
    first = {row["score"]: _area(row)["value"] for row in _from_fnmr(found)[0]["scores"]}
    return sorted(first, key=lambda name: (name not in OUR_SCORES, first[name]))


JUDGED_BY = {
    "erc-lfw-dev-all": "all pairs, MobileFaceNet",
    "erc-lfw-dev-all-dlib": "all pairs, dlib",
    "erc-lfw-dev-mixed": "mixed, MobileFaceNet",
    "erc-lfw-dev-mixed-dlib": "mixed, dlib",
}


def matchers(results: Path) -> str:
    """`quality` beside LightQNet on LFW by two matchers, and how far LightQNet is behind."""

    def rows() -> Iterator[tuple[str, ...]]:
        for name, by in JUDGED_BY.items():
            for start in _from_fnmr(read_result(results, name)):
                ours, theirs = (
                    next(_area(row) for row in start["scores"] if row["score"] == score)
                    for score in ("quality", "lightqnet")
                )
                yield (
                    by,
                    f"{start['start']} ({start['errors']} failures)",
                    f"{ours['value']:.3f}",
                    f"{theirs['value']:.3f}",
                    "{behind:+.3f} [{behind_low:.3f}, {behind_high:.3f}]".format_map(theirs),
                )

    return markdown_table(
        ("pairs, matcher", "start", "`quality`", "LightQNet", "LightQNet is behind by"), rows()
    )


CHOSEN_AMONG = {
    "erc-photos-lfw-dev": "photographs of {} people of LFW",
    "erc-photos-celeba-dev": "of {} of CelebA in the wild",
    "erc-tracks": "frames of {} tracks, to a gallery",
}


def shots(results: Path) -> str:
    """How much nearer the chosen shot is to the others than one at random, of what there is."""
    found = {among: read_result(results, name) for name, among in CHOSEN_AMONG.items()}
    names = [score["score"] for score in next(iter(found.values()))["scores"]]
    rows = {
        among: {score["score"]: score for score in result["scores"]}
        for among, result in found.items()
    }
    return markdown_table(
        ("score", *(among.format(len(found[among]["people"])) for among in rows)),
        (
            (
                _score_name(name),
                *(
                    "{} % [{}, {}]".format(
                        *(round(100 * row[key]) for key in ("gained", "gained_low", "gained_high"))
                    )
                    for row in (by_score[name] for by_score in rows.values())
                ),
            )
            for name in names
        ),
    )


WALKED_BY = {"erc-walks-lfw-dev": "LFW", "erc-walks-celeba-dev": "CelebA"}


def walks(results: Path) -> str:
    """How often the chosen frame of a rendered walk is the best, and how near it is to that."""
    found = {of: read_result(results, name) for name, of in WALKED_BY.items()}
    shares = {
        f"none better, {len(result['people'])} people of {of}": {
            row["score"]: "{:.0f} % [{:.0f}, {:.0f}]".format(
                *(100 * row[key] for key in ("best", "best_low", "best_high"))
            )
            for row in result["walks"]
        }
        for of, result in found.items()
    }
    better = {
        f"better there, {of}": {
            row["score"]: f"{100 * row['better']:.0f} %" for row in result["walks"]
        }
        for of, result in found.items()
    }
    nearer = {
        f"nearer to the unharmed picture, {of}": {
            row["score"]: f"{100 * row['gained']:.0f} %" for row in result["scores"]
        }
        for of, result in found.items()
    }
    columns = shares | better | nearer
    names = [row["score"] for row in next(iter(found.values()))["walks"]]
    return markdown_table(
        ("score", *columns),
        ((_score_name(name), *(cells[name] for cells in columns.values())) for name in names),
    )


def eyes(results: Path) -> str:
    """How often the chosen frame shows closed eyes, and how often an open-eyed one stands above."""
    found = read_result(results, "erc-tracks")
    tracks = found["eyes"]

    def row(name: str) -> tuple[str, ...]:
        above = sum(track["ordered"][name] for track in tracks) / len(tracks)
        open_eyed = sum(track["chosen"][name] == "open" for track in tracks)
        return _score_name(name), f"{open_eyed} of {len(tracks)}", f"{100 * above:.0f} %"

    return markdown_table(
        ("score", "tracks in which the chosen frame has open eyes", "open above closed"),
        (row(score["score"]) for score in found["scores"]),
    )


def by_hand(results: Path) -> str:
    """In how many tracks a score chose a frame that has what a viewer wants, by hand.

    Of the newest result in which somebody labelled each frame that a score chose.
    """
    found = read_result(results, "erc-tracks-labelled")
    tracks = found["labels"]
    could = {what: sum(t["possible"][what] for t in tracks) for what in tracks[0]["possible"]}

    def row(name: str) -> tuple[str, ...]:
        good = [wanted_of(track["answers"][name]) for track in tracks]
        return _score_name(name), *(str(sum(what in had for had in good)) for what in could)

    words = {question: f"{question}: {answers[0]}" for question, answers in QUESTIONS.items()}
    return markdown_table(
        ("score", *(f"{words.get(what, what)}, of {tracks}" for what, tracks in could.items())),
        (row(score["score"]) for score in found["scores"]),
    )


def by_hand_pairs(results: Path) -> str:
    """What share of the pairs of labelled frames of a track a score puts in order, by hand."""
    found = read_result(results, "erc-tracks")
    tracks, names = found["labels"], [score["score"] for score in found["scores"]]
    by_question = {
        q: in_order(
            [track["pairs"][q] for track in tracks],
            [[track["ordered"][name][q] for track in tracks] for name in names],
        )
        for q in QUESTIONS
    }
    return markdown_table(
        ("score", *(f"{q}: {QUESTIONS[q][0]}, of {of[0].pairs}" for q, of in by_question.items())),
        (
            (_score_name(name), *(of[i].cell(" %") for of in by_question.values()))
            for i, name in enumerate(names)
        ),
    )


def degrade(results: Path, of: str = "erc-degrade") -> str:
    """Share of faces whose score falls when the picture gets worse, middle severity."""
    found = read_result(results, of)
    return markdown_table(
        ("", *(d["name"] for d in found["degradations"])),
        (
            (
                _score_name(score["score"]),
                *(f"{100 * fell[1]:.0f} %" for fell in score["fell"]),
            )
            for score in found["scores"]
        ),
    )


def degrade_celeba(results: Path) -> str:
    """The same of CelebA in the wild."""
    return degrade(results, "erc-degrade-celeba-dev")


def degrade_reason(results: Path) -> str:
    """The same of what the reason of a shot tells, on CelebA."""
    return degrade(results, "erc-degrade-reason")


def groups(results: Path) -> str:
    """How `quality` and LightQNet treat groups of people."""
    found = read_result(results, "erc-groups")
    told = [s for s in found["scores"] if s["score"] in ("quality", "lightqnet")]
    heads = ("mean rank", "in the lowest tenth", "gap, all else equal")

    def cells(score: Any, group: str) -> tuple[str, ...]:
        rank, gap = score["ranks"][group], score["gaps"].get(group)
        return (
            f"{rank['rank']:.0f}",
            f"{100 * rank['lowest']:.0f} %",
            "{gap:.2f} [{low:.2f}, {high:.2f}]".format_map(gap) if gap else "",
        )

    return markdown_table(
        ("group", "pictures", *(f"{_score_name(s['score'])}: {h}" for s in told for h in heads)),
        (
            (group, str(count), *(cell for score in told for cell in cells(score, group)))
            for group, count in found["groups"].items()
        ),
    )


def attributes(results: Path) -> str:
    """How far scores rise with an attribute, within a person."""
    found = read_result(results, "erc-attributes")
    return markdown_table(
        ("attribute", "pictures, people", *(_score_name(s["score"]) for s in found["scores"])),
        (
            (
                of["name"].replace("_", " ").lower(),
                f"{of['pictures']}, {of['people']}",
                *(
                    "{rise:+.2f} [{low:.2f}, {high:.2f}]".format_map(score["rises"][i])
                    for score in found["scores"]
                ),
            )
            for i, of in enumerate(found["attributes"])
        ),
    )
