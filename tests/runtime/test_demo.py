"""The demo: the main job from key to picture, on a clip whose best frames are known."""

import pytest

from sealshot.runtime.cli import main as cli
from sealshot.runtime.demo.clip import FPS, HEIGHT, SECONDS, WALKS, WIDTH, render


@pytest.fixture(scope="module")
def frames():
    return list(render())


def test_the_clip_is_as_long_and_large_as_it_says(frames):
    assert len(frames) == SECONDS * FPS
    assert {f.shape for f in frames} == {(HEIGHT, WIDTH, 3)}


def test_each_walk_has_few_good_frames():
    for walk in WALKS:
        poses = [walk.pose(i / FPS) for i in range(int(SECONDS * FPS))]
        seen = [p for p in poses if p]
        good = [p for p in seen if p.is_good]
        assert 5 <= len(good) <= 0.2 * len(seen)


def test_the_demo_finds_both_people_and_opens_their_shots(demo, capsys):
    out = demo.output
    assert "$ sealshot keys new" in out
    assert "2 people in 175 frames" in out
    assert out.count("are good; chosen") == 2
    assert len(list((demo.folder / "opened").glob("*.jpg"))) == 2


def test_a_folder_that_exists_is_left_alone(tmp_path, capsys):
    assert cli.main(["demo", "-o", str(tmp_path)]) == 2
    assert "cannot be made" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
