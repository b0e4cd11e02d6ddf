"""The default beside full passes: on a clip of the demo's portrait, and on finders that fail."""

import json

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.accuracy import following
from sealshot.benchmarks.accuracy.detection import main
from sealshot.runtime.demo.clip import PORTRAIT

FRAMES = 8


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The portrait, which goes to the right."""
    portrait = cv2.resize(cv2.imread(str(PORTRAIT)), None, fx=0.6, fy=0.6)
    height, width = portrait.shape[:2]
    path = tmp_path_factory.mktemp("clip") / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for i in range(FRAMES):
        wall = np.full((240, 320, 3), 110, np.uint8)
        wall[20 : 20 + height, 6 * i : 6 * i + width] = portrait
        writer.write(wall)
    writer.release()
    return path


def test_a_clear_face_is_found_each_way(clip, capsys):
    assert main(["following", str(clip), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["way"] for row in rows] == [following.FULL, following.DEFAULT, following.MOVED]
    for row in rows:
        assert (row["faces of 40 px"], row["found"]) == (FRAMES, 1)
        assert (row["people"], row["people missed"], row["people in all"]) == (1, 0, 1)
        assert row["cpu ms"] > 0


@pytest.mark.parametrize(("shown", "missed"), [(0, 1), (FRAMES - 2, 0)])
def test_faces_and_people_that_are_missed_are_counted(clip, monkeypatch, shown, missed):
    class Forgetful(following.EveryFrame):
        looks = 0

        def look(self, time_s, image):
            self.looks += 1
            rest = super().look(time_s, image)
            return rest if self.looks <= shown else list

    monkeypatch.setattr(following, "open_finder", Forgetful)
    full, default, _ = following.follow(clip, FRAMES)
    assert (full["found"], full["people missed"]) == (1, 0)
    assert (default["found"], default["people missed"]) == (shown / FRAMES, missed)


def test_only_the_first_frames_are_taken(clip):
    assert following.follow(clip, 2)[0]["faces of 40 px"] == 2
