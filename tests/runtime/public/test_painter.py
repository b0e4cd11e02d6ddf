"""Style `face`: what is drawn lies on what is covered, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import drawing_net, undoing_net

from sealshot.runtime.cli.main import dispatch
from sealshot.runtime.errors import InputError
from sealshot.runtime.public.cover import around, cover, inside
from sealshot.runtime.public.painter import Painter
from sealshot.runtime.public.placing import WANTED, placing
from sealshot.runtime.types import Face

pytest.importorskip("onnx")

GREY = 77


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A net that draws one grey, whatever it sees."""
    return drawing_net(tmp_path / "grey.onnx", GREY)


def _face(score: float = 1.0) -> Face:
    landmarks = (WANTED * 1.5 + [70, 40]).astype(np.float32)
    return Face(np.array([90, 58, 146, 118], np.float32), score, landmarks)


@pytest.mark.parametrize(("dtype", "grey"), [(np.uint8, GREY), (np.uint16, 4 * GREY)])
def test_it_draws_in_the_middle_of_the_region_alone(
    model: Path, dtype: type[np.unsignedinteger[np._8Bit]], grey: int
) -> None:
    planes = tuple(np.full(shape, 200, dtype) for shape in ((180, 240), (90, 120), (90, 120)))
    covered = cover(planes, [around(_face().box)], "blur")
    Painter(model).paint(planes, covered, [(1, _face())])
    x0, y0, x1, y1 = inside(around(_face().box), 240, 180) or (0, 0, 0, 0)
    middle = placing(_face().landmarks)
    x, y = np.linalg.solve(middle[:, :2], [32, 32] - middle[:, 2])
    for plane, step in zip(covered, (1, 2, 2), strict=True):
        assert plane[round(y) // step, round(x) // step] == grey
        outside = np.ones(plane.shape, bool)
        outside[y0 // step : -(-y1 // step), x0 // step : -(-x1 // step)] = False
        assert (plane[outside] == 200).all()


def test_who_is_not_sure_stays_covered(model: Path) -> None:
    planes = tuple(np.full(shape, 200, np.uint8) for shape in ((180, 240), (90, 120), (90, 120)))
    covered = cover(planes, [around(_face().box)], "blur")
    Painter(model).paint(planes, covered, [(1, _face(0.5))])
    assert all((plane == 200).all() for plane in covered)


def test_noise_is_one_for_a_track_and_another_for_each_stream(model: Path) -> None:
    one, other = Painter(model), Painter(model)
    assert (one.noise(3) == one.noise(3)).all()
    assert (one.noise(3) != one.noise(4)).any()
    assert (one.noise(3) != other.noise(3)).any()
    assert one.noise(3).min() >= 0
    assert one.noise(3).max() <= 1


def test_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no model file"):
        Painter(tmp_path / "none.onnx")
    (tmp_path / "grey.json").write_text("{}")
    with pytest.raises(InputError, match="not a model manifest"):
        Painter(model)


def test_a_style_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"none of mosaic, blur, solid, face, face:FILE\.onnx"):
        dispatch(["deidentify", "x.mp4", "-o", str(tmp_path / "o.mp4"), "--style", "faces"])


def test_a_label_that_the_net_does_not_know_is_told(model: Path, tmp_path: Path) -> None:
    out = ["-o", str(tmp_path / "o.mp4")]
    (tmp_path / "x.mp4").write_bytes(b"\0")
    with pytest.raises(InputError, match="knows no label 'Tall'") as told:
        dispatch(
            ["deidentify", str(tmp_path / "x.mp4"), *out, "--style", f"face:{model}:Male,-Tall"]
        )
    assert "Male, Young" in told.value.hint
    assert Painter(model, {"Male": 1, "Young": -1})._control.tolist() == [1, -1]


def test_a_net_that_undoes_draws_nothing(tmp_path: Path) -> None:
    path = undoing_net(tmp_path / "undo.onnx", GREY)
    with pytest.raises(InputError, match="a net of the kind 'undo', not of 'drawing'"):
        Painter(path)
