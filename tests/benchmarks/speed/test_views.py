"""Clips of so many faces: as many as asked for are seen."""

import errno
from collections.abc import Iterator

import pytest

from sealshot.benchmarks.speed import views
from sealshot.runtime.detect import open_detector
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.sources import frames_of, open_source


@pytest.mark.parametrize("faces", views.FACES)
def test_all_faces_are_in_view(faces):
    (frame,) = views.view(1280, 720, faces, 1)
    assert frame.shape == (720, 1280, 3)
    assert len(open_detector("mtcnn").detect(frame)) == faces


def test_clips_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(views, "HEIGHTS", (360,))
    monkeypatch.setattr(views, "FACES", (0, 1))
    assert views.main(["-o", str(tmp_path), "--frames", "4"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "views-360p-0.mp4",
        "views-360p-1.mp4",
    ]
    with open_source(str(tmp_path / "views-360p-1.mp4")) as source:
        assert [frame.image.shape for frame in frames_of(source)] == [(360, 640, 3)] * 4


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        views.main(["-o", str(tmp_path / "no")])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), SealshotError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=["a full disk", "Ctrl-C"],
)
def test_no_half_clip_is_left(tmp_path, monkeypatch, error, told):
    def broken(*_: int) -> Iterator[object]:
        yield from drawn(1280, 720, 0, 1)
        raise error

    drawn = views.view
    monkeypatch.setattr(views, "view", broken)
    with pytest.raises(told):
        views.main(["-o", str(tmp_path), "--frames", "2"])
    assert not list(tmp_path.iterdir())
