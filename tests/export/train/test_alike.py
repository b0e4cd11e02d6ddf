"""The head of a score learns to treat groups alike, on faces that are drawn or may be shown."""

import copy

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sealshot.export.golden import draw_faces  # noqa: E402
from sealshot.export.rebuild import load_graph  # noqa: E402
from sealshot.export.train import alike  # noqa: E402
from sealshot.export.train.alike import TURNS_DEG, Known, Labelled, treat_alike  # noqa: E402
from sealshot.export.train.degrade import recut  # noqa: E402
from sealshot.export.train.frontality import roll_deg  # noqa: E402
from sealshot.export.train.people import People  # noqa: E402
from sealshot.runtime.cli.main import main  # noqa: E402
from sealshot.runtime.demo.clip import PORTRAIT  # noqa: E402
from sealshot.runtime.engines import open_onnxruntime  # noqa: E402
from sealshot.runtime.engines.manifest import load_manifest  # noqa: E402
from sealshot.runtime.weights import score_graph  # noqa: E402

QUALITY = score_graph("quality")


def contexts(crops):
    return np.pad(crops[:, 0], ((0, 0), (24, 24), (24, 24)), mode="edge")


@pytest.fixture
def labelled():
    """Drawn faces of adults, and of children, who have fuller cheeks: light where others are."""
    crops, age = draw_faces(72, seed=5), np.tile([30, 5], 36)
    for crop in crops[age < 10, 0]:
        cv2.circle(crop, (16, 44), 10, int(crop[44, 16]) // 2 + 120, -1)
        cv2.circle(crop, (48, 44), 10, int(crop[44, 48]) // 2 + 120, -1)
    people = People(age, np.full(72, "male"), np.full(72, "white"))
    return Labelled(crops, contexts(crops), np.full(72, 64, np.float32), people)


def test_the_gap_closes_and_all_else_stays(labelled, monkeypatch):
    monkeypatch.setattr(alike, "STEPS", 120)
    model = load_graph(QUALITY, load_manifest(QUALITY))
    before, others = copy.deepcopy(model), draw_faces(36, seed=6)
    gaps = treat_alike(model, labelled, Known(contexts(others), np.zeros(36)), seed=1)
    was, now = gaps["children up to 10"]
    assert abs(was) > 0.3
    assert abs(now) < abs(was) / 3
    for name, value in model.body.state_dict().items():
        assert torch.equal(value, before.body.state_dict()[name]), name
    with torch.no_grad():
        said, says = (m(torch.from_numpy(others)).numpy() for m in (before, model))
    assert np.corrcoef(said, says)[0, 1] > 0.9


def level_ahead(model, crops):
    """Share of the pairs of tilts, to the same side, in which the more level face is ahead."""
    turned = [recut(c, d, 1, 0, 0)[0] for c in contexts(crops) for d in TURNS_DEG]
    with torch.no_grad():
        scores = model(torch.from_numpy(np.stack(turned)[:, None])).reshape(len(crops), -1).numpy()
    left, right = scores[:, 3::-1], scores[:, 3:]
    ahead = [s[:, i] > s[:, j] for s in (left, right) for i in range(4) for j in range(i + 1, 4)]
    return float(np.mean(ahead))


def test_the_more_level_face_is_ahead(labelled, monkeypatch):
    monkeypatch.setattr(alike, "STEPS", 120)
    model = load_graph(QUALITY, load_manifest(QUALITY))
    torch.manual_seed(1)
    model.head[2].reset_parameters()  # a head that knows nothing of tilt
    unseen = draw_faces(24, seed=7)
    before = level_ahead(model, unseen)
    treat_alike(model, labelled, Known(contexts(draw_faces(72, seed=6)), np.zeros(72)), seed=1)
    assert before < 0.8 < level_ahead(model, unseen)


def test_a_crop_that_turns_one_way_turns_the_face_the_other():
    dark = np.full((112, 112), 200, np.uint8)
    for x in (42, 70):  # the eyes, level
        cv2.circle(dark, (x, 50), 4, 0, -1)
    eyes = [
        np.argwhere(recut(dark, 15, 1, 0, 0)[0][:, side] < 60).mean(axis=0)[::-1]
        for side in (np.s_[:32], np.s_[32:])
    ]
    eyes[1] += [32, 0]
    landmarks = np.array([[*eyes, (32, 40), (20, 50), (44, 50)]], np.float32)
    assert roll_deg(landmarks)[0] == pytest.approx(-15, abs=2)


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(alike, "STEPS", 2)
    groups, faces, out = (tmp_path / name for name in ("groups", "faces", "out"))
    (groups / "images").mkdir(parents=True)
    faces.mkdir()
    rows, portrait = ["file,age,sex,ethnicity"], cv2.imread(str(PORTRAIT))
    for i in range(6):
        picture = np.clip(portrait * (0.6 + 0.08 * i), 0, 255).astype(np.uint8)
        cv2.imwrite(str(groups / "images" / f"{i}.png"), picture)
        rows.append(f"{i}.png,{(5, 30)[i % 2]},female,white")
        cv2.imwrite(str(faces / f"{i}.png"), np.roll(picture, 3 * i, axis=1))
    (groups / "images" / "6.png").write_bytes(b"no picture")
    (groups / "faces.csv").write_text("\n".join([*rows, "6.png,30,male,white"]) + "\n")
    argv = ["train", "alike", "quality", str(faces), "--groups", str(groups), "-o", str(out)]
    assert main([*argv, "--threads", "1"]) == 0
    assert "children up to 10" in capsys.readouterr().out
    made, source = load_manifest(out / "quality.onnx"), load_manifest(QUALITY)
    assert made.training_set == "faces, head: groups"
    assert (made.eyes_weight, made.macs_per_face) == (source.eyes_weight, source.macs_per_face)
    assert (out / "eyes.onnx").is_file()
    assert open_onnxruntime(out / "quality.onnx").score(draw_faces(2)).shape == (2,)
    # the same again, of the faces that were kept
    sha256 = made.sha256
    assert main([*argv, "--threads", "1"]) == 0
    assert load_manifest(out / "quality.onnx").sha256 == sha256


def test_a_score_without_such_a_head_is_refused(tmp_path, capsys):
    argv = ["train", "alike", "rp", str(tmp_path), "--groups", str(tmp_path), "-o", str(tmp_path)]
    assert main(argv) == 2
    assert "no head" in capsys.readouterr().err
