"""The comparison of trackers: counting by hand labels, the sheets, and the clips themselves."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.accuracy.tracking import (
    Errors,
    compare,
    iou,
    judge,
    main,
    read_truth,
    whose,
)
from sealshot.runtime.detect import open_detector
from sealshot.runtime.errors import InputError
from sealshot.runtime.planes import bgr_of
from sealshot.runtime.types import Face, Image

TRUTH = Path(__file__).parents[2] / "data" / "tracks"


def row(x: float, frames: range, width: float = 50) -> list[tuple[int, np.ndarray]]:
    return [(frame, np.array([x, 10.0, x + width, 70.0])) for frame in frames]


LEFT, RIGHT, NOBODY = (lambda frames, x=x: row(x, frames) for x in (10, 200, 900))
PEOPLE = {1: LEFT(range(30)), 2: RIGHT(range(30))}

CASES = [
    ("right", {1: LEFT(range(30)), 2: RIGHT(range(30))}, Errors(2, 0, 0, 0, 0)),
    ("too short to count", {1: LEFT(range(30)), 2: RIGHT(range(2))}, Errors(2, 1, 0, 0, 0)),
    (
        "broken",
        {1: LEFT(range(10)), 2: LEFT(range(10, 30)), 3: RIGHT(range(30))},
        Errors(2, 0, 0, 1, 0),
    ),
    ("joined", {1: LEFT(range(20)) + RIGHT(range(20, 30))}, Errors(2, 1, 1, 0, 0)),
    (
        "one face astray",
        {1: LEFT(range(20)) + RIGHT(range(20, 21)), 2: RIGHT(range(21, 30))},
        Errors(2, 0, 0, 0, 0),
    ),
    (
        "false",
        {1: LEFT(range(30)), 2: RIGHT(range(30)), 3: NOBODY(range(3))},
        Errors(2, 0, 0, 0, 1),
    ),
    ("nothing", {}, Errors(2, 2, 0, 0, 0)),
]


@pytest.mark.parametrize(("tracks", "errors"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_errors_are_counted(tracks, errors: Errors) -> None:
    assert judge(tracks, PEOPLE, enough=12.5) == errors


def test_only_large_faces_must_be_found() -> None:
    people = {1: row(10, range(30), width=39), 2: row(200, range(5)), 3: row(400, range(30))}
    assert judge({}, people, enough=12.5).people == 1


def test_a_face_is_the_persons_whose_label_it_meets_best() -> None:
    labels = [(1, np.array([0.0, 0, 10, 10])), (2, np.array([4.0, 0, 14, 10]))]
    assert whose(np.array([1.0, 0, 11, 10]), labels) == 1
    assert whose(np.array([3.0, 0, 13, 10]), labels) == 2
    assert whose(np.array([20.0, 0, 30, 10]), labels) is None
    assert whose(np.array([0.0, 0, 1, 1]), []) is None
    assert iou(np.array([0.0, 0, 10, 10]), np.array([0.0, 5, 10, 15])) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "frame,person\n1,2\n",
        "frame,person,x0,y0,x1,y1\n1,a,0,0,1,1\n",
        pytest.param(200_000 * "f", id="a field that is too long"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path, text: str) -> None:
    path = tmp_path / "clip.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="does not hold hand labels"):
        read_truth(path)


class Drawn:
    """Finds the white boxes that a test has drawn."""

    def detect(self, image: Image) -> list[Face]:
        contours, _ = cv2.findContours(
            (bgr_of(image)[..., 0] > 128).astype(np.uint8),
            cv2.RETR_EXTERNAL,
            cv2.CHAIN_APPROX_SIMPLE,
        )
        faces = []
        for x, y, w, h in map(cv2.boundingRect, contours):
            box = np.array([x, y, x + w, y + h], np.float32)
            faces.append(Face(box, 0.99, np.zeros((5, 2), np.float32)))
        return faces


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two white boxes for 20 frames, the second from frame 5 on."""
    path = tmp_path / "boxes.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (320, 240))
    for frame in range(20):
        image = np.zeros((240, 320, 3), np.uint8)
        image[20:80, 20 + frame : 70 + frame] = 255
        if frame >= 5:
            image[120:200, 200:260] = 255
        writer.write(image)
    writer.release()
    return path


def test_a_clip_is_compared_and_drawn(clip: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    lines = [f"{frame},1,{20 + frame},20,{70 + frame},80" for frame in range(20)]
    lines += [f"{frame},2,200,120,260,200" for frame in range(5, 20)]
    (truth / "boxes.csv").write_text("frame,person,x0,y0,x1,y1\n" + "\n".join(lines))
    results = compare(clip, Drawn(), truth=truth, sheets=tmp_path / "sheets")
    assert [r.tracker for r in results] == ["bytetrack", "euclidean"]
    for result in results:
        assert (result.frames, result.faces, result.tracks) == (20, 35, 2)
        assert result.lengths == (20, 15)
        assert result.errors == Errors(2, 0, 0, 0, 0)
        assert 0 < result.median_ms <= result.p99_ms
        sheet = cv2.imread(str(tmp_path / "sheets" / f"boxes-{result.tracker}-1.png"))
        assert sheet is not None
        assert sheet.shape == (2 * 96, 13 * 96, 3)


def test_a_clip_without_labels_is_not_judged(clip: Path, tmp_path: Path) -> None:
    assert all(r.errors is None for r in compare(clip, Drawn(), truth=tmp_path))


@pytest.mark.data
def test_nobody_at_the_station_loses_their_track(data: Path, tmp_path: Path, capsys) -> None:
    """Seven people have a face of 40 px for half a second; each gets a track of their own."""
    out = tmp_path / "result.json"
    clip = data / "clips" / "station-crowd.mp4"
    assert main([str(clip), "--truth", str(TRUTH), "-o", str(out)]) == 0
    results = {r["tracker"]: r for r in json.loads(out.read_text())["results"]}
    best, plain = results["bytetrack"]["errors"], results["euclidean"]["errors"]
    assert best["people"] == 7
    assert (best["missed"], best["switches"], best["false"]) == (0, 0, 0)
    assert best["fragments"] <= min(2, plain["fragments"])
    assert "station-crowd.mp4  bytetrack" in capsys.readouterr().out


@pytest.mark.data
def test_no_track_jumps_over_a_cut(data: Path) -> None:
    clip = data / "clips" / "stage-five-people-cuts.mp4"
    best, plain = compare(clip, open_detector("mtcnn", threads=2), truth=TRUTH)
    assert best.errors is not None
    assert plain.errors is not None
    assert best.errors.switches == 0 < plain.errors.switches
    assert best.errors.missed <= plain.errors.missed
