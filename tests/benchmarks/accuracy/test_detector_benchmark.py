"""The benchmark of the detectors: its tallies by hand, its commands on the demo's portrait."""

import json
import random
import zipfile

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.accuracy import detection as detector
from sealshot.benchmarks.accuracy.detection import Agreement, main, spoil
from sealshot.benchmarks.accuracy.pictures import pictures
from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face

WIDE, SMALL = (0, 0, 100, 100), (300, 300, 350, 350)


def face(box, move=0.0):
    x0, y0, x1, y1 = box
    points = np.array([[x0, y0], [x1, y0], [(x0 + x1) / 2, (y0 + y1) / 2], [x0, y1], [x1, y1]])
    return Face(
        np.float32(box) + np.float32([move, 0, move, 0]),
        0.9,
        np.float32(points) + np.float32([move, 0]),
    )


@pytest.mark.parametrize(
    ("reference", "found", "ious", "extra"),
    [
        ([], [], [], 0),
        ([], [WIDE], [], 1),
        ([WIDE], [], [0], 0),
        ([WIDE], [WIDE], [1], 0),
        ([WIDE, SMALL], [SMALL, WIDE], [1, 1], 0),
        ([WIDE], [(0, 0, 100, 50)], [0.5], 0),
        ([WIDE], [WIDE, SMALL], [1], 1),
    ],
)
def test_agreement_by_hand(reference, found, ious, extra):
    tally = Agreement()
    tally.add([face(box) for box in reference], [face(box) for box in found])
    assert tally.iou == pytest.approx(ious)
    assert tally.extra == extra


def test_landmarks_are_compared_in_units_of_the_face():
    tally = Agreement()
    tally.add([face(WIDE)], [face(WIDE, move=10)])
    assert tally.landmarks == pytest.approx([0.1])
    figures = tally.figures()
    assert (figures["iou_above_0.5"], figures["iou_above_0.95"]) == (1, 0)


def test_a_spoilt_face_is_small_and_where_it_is_said_to_be():
    portrait = cv2.imread(str(PORTRAIT))
    for seed in range(5):
        image, small = spoil(portrait, face((77, 63, 163, 174)), random.Random(seed))
        assert small.box[2] - small.box[0] in (pytest.approx(px) for px in detector.HARD_PX)
        assert image.dtype == np.uint8
        assert image.mean() < portrait.mean()
        assert small.box[2] < image.shape[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "someone").mkdir()
    portrait = cv2.imread(str(PORTRAIT))
    for i, gain in enumerate((1.0, 0.8, 0.6)):
        cv2.imwrite(str(folder / "someone" / f"{i}.png"), (portrait * gain).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (480, 400))
    portrait = cv2.imread(str(PORTRAIT))
    for i in range(8):
        frame = np.full((400, 480, 3), 110, np.uint8)
        frame[50:350, 20 * i : 20 * i + 240] = portrait
        video.write(frame)
    video.release()
    return path


def test_pictures_are_drawn_by_the_same_lot_each_time(folder, clip):
    once, again = ([i.mean() for i in pictures([folder], 2)] for _ in range(2))
    assert len(once) == 2
    assert once == again
    assert len(list(pictures([clip, folder], 4))) == 4 + 3


def test_recall_counts_each_deviation(folder, clip, tmp_path, capsys):
    out = tmp_path / "recall.json"
    argv = ["recall", str(clip), str(folder), "--count", "3", "--confirm", "mtcnn", "-o", str(out)]
    assert main(argv) == 0
    assert "mtcnn:exact" in capsys.readouterr().out
    result = json.loads(out.read_text())
    rows = {row["parameters"]: row for row in result["rows"]}
    assert len(rows) == 7
    for row in rows.values():
        assert (row["clip_faces"], row["clip_recall"]) == (3, 1)
        assert (row["found"], row["unconfirmed"]) == (3, 0)
        assert row["hard_faces"] == 3
        assert row["moved_iou"] > 0.7
        assert row["cpu_ms"] > 0
    assert result["environment"]["commit"]


def test_recall_without_clips_says_what_was_not_measured(folder, capsys):
    assert main(["recall", str(folder), "--count", "1"]) == 0
    assert "not measured" in capsys.readouterr().out


def test_speed_gives_each_stage(clip, capsys):
    assert main(["speed", str(clip), "--count", "3", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(r["detector"], r["threads"]) for r in rows] == [
        ("mtcnn", 1),
        ("mtcnn:exact", 1),
        ("mtcnn", 2),
        ("mtcnn:exact", 2),
    ]
    for row in rows:
        assert row["faces"] == 1
        stages = [row[f"{stage}_ms"] for stage in detector.STAGES]
        assert min(stages) > 0
        assert row["R-net images"] >= row["O-net images"] >= 1


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["agreement", "absent.whl", "."], "not a wheel"),
        (["speed", "absent.mp4"], "absent.mp4"),
        (["recall", "."], "no picture"),
        (["precision", "."], "precision"),
        (["recall"], "paths"),
        (["following"], "sealshot bench detection following CLIP... [options]"),
        ([], "sealshot bench detection agreement WHEEL PATH... [options]"),
        (["recall", ".", "--confirm", "nothing"], "no detector"),
        (["recall", ".", "--every", "5"], "--every is for `following` alone"),
        (["following", "absent.mp4", "--confirm", "mtcnn"], "--confirm is for `recall` alone"),
    ],
)
def test_what_is_wrong_is_named(argv, fact, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        main(argv)
    assert fact in f"{caught.value.fact}\nhint: {caught.value.hint}"


def test_a_zip_of_something_else_is_no_peer(tmp_path, folder):
    path = tmp_path / "other.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other/__init__.py", "")
    with pytest.raises(InputError, match="not a facenet-pytorch wheel"):
        main(["agreement", str(path), str(folder)])
