"""`sealshot bench deid`: figures that are known beforehand, of faces hidden and not hidden."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sealshot.benchmarks.accuracy.deid import baselines
from sealshot.benchmarks.accuracy.deid.command import main
from sealshot.benchmarks.accuracy.deid.drawn import fit, hits
from sealshot.benchmarks.accuracy.deid.learned import coded
from sealshot.benchmarks.accuracy.deid.pictures import image_of, planes_of
from sealshot.benchmarks.accuracy.deid.recognition import auc, average_precision, d_prime, pearson
from sealshot.export.deid.pose import HEAD_MM, pose
from sealshot.runtime.errors import InputError
from sealshot.runtime.types import Face


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.5, 0, 0), (0, -0.4, 0), (0, 0, 0.3)])
def test_pose_is_that_of_a_head_that_was_turned(angles: tuple[float, float, float]) -> None:
    yaw, pitch, roll = angles
    around_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    around_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    around_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    turned = HEAD_MM @ (np.array(around_z) @ around_x @ around_y).T
    found = pose((3 * turned[:, :2] + [200, 100]).astype(np.float32))
    assert np.abs(found) == pytest.approx(np.abs(angles), abs=1e-4)


def _face(x: float, score: float) -> Face:
    return Face(np.array([x, 0, x + 10, 10], np.float32), score, np.zeros((5, 2), np.float32))


def test_average_precision_counts_what_is_wrong_and_what_is_missing() -> None:
    wanted = [_face(0, 1), _face(0, 1)]
    assert average_precision([[_face(0, 0.9)], [_face(1, 0.8)]], wanted) == 1
    assert average_precision([[_face(0, 0.9)], []], wanted) == 0.5
    assert average_precision([[], []], wanted) == 0
    wrong_first = [[_face(50, 0.99), _face(0, 0.9)], [_face(0, 0.8)]]
    assert average_precision(wrong_first, wanted) == pytest.approx(2 / 3)
    assert average_precision([[_face(0, 0.9), _face(1, 0.8)], []], wanted) == 0.5  # found twice


def test_figures_of_two_sets_of_distances() -> None:
    near, far = np.array([0.0, 1.0]), np.array([2.0, 3.0])
    assert (auc(near, far), auc(far, near), auc(near, near)) == (1, 0, 0.5)
    assert d_prime(near, far) == pytest.approx(4)
    sure = np.array([0.9, 0.8, 0.7, 0], np.float32)
    assert pearson(sure, sure) == pytest.approx(1)
    assert pearson(sure, 1.6 - sure) == pytest.approx(-1)
    assert pearson(sure[2:], sure[2:]) is None


def test_a_probe_finds_what_lies_in_an_embedding_and_nothing_else() -> None:
    draw = np.random.default_rng(0)
    label = draw.integers(-1, 2, 400)
    plain = draw.normal(size=(400, 16)).astype(np.float32)
    other = draw.normal(size=(400, 16)).astype(np.float32)
    plain[:, 3] += 6 * label - 3
    turned = plain.copy()
    turned[:, 3] *= -1
    line = fit(plain[::2], label[::2])
    found = [hits(line, seen[1::2], label[1::2]) for seen in (plain, other, turned)]
    assert found[0] > 0.95
    assert 0.35 < found[1] < 0.65
    assert found[2] < 0.05


def test_a_codec_keeps_a_picture_the_worse_the_higher_its_crf() -> None:
    picture = np.random.default_rng(0).integers(60, 190, (48, 64, 3)).astype(np.uint8)
    planes = planes_of(picture)
    assert image_of(planes).shape == picture.shape
    off = [np.abs(coded(planes, crf)[0].astype(int) - planes[0]).mean() for crf in (None, 10, 40)]
    assert off[0] == 0 < off[1] < off[2]


def test_what_others_do_to_a_face_is_done_to_its_region_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deface(found: list[np.ndarray], image: np.ndarray, scale: float, *style: object) -> None:
        ((x0, y0, x1, y1, _),) = np.round(found).astype(int)
        image[y0:y1, x0:x1] = len(str(style[0]))

    monkeypatch.setattr(baselines, "find_spec", lambda name: name)
    monkeypatch.setattr(
        baselines, "import_module", lambda _: SimpleNamespace(anonymize_frame=deface)
    )
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    face = Face(np.array([60, 40, 100, 80], np.float32), 0.9, np.zeros((5, 2), np.float32))
    before = image.copy()
    shown = {name: hide(image, face) for name, hide in baselines.baselines().items()}
    assert np.array_equal(image, before)
    assert list(shown)[2:] == ["deface blur", "deface mosaic", "deface solid"]
    for picture in shown.values():
        changed = (picture != image).any(-1)
        assert changed[45:75, 65:95].mean() > 0.9
        assert not changed[:24].any()
        assert not changed[:, 120:].any()
    few, superpixels = (shown[name][28:92, 48:112] for name in list(shown)[:2])
    assert len(np.unique(few.reshape(-1, 3), axis=0)) <= 16**2
    assert len(np.unique(superpixels.reshape(-1, 3), axis=0)) <= 10**2


def test_superpixels_follow_an_edge() -> None:
    image = np.full((120, 160, 3), 40, np.uint8)
    image[:, 83:] = 200
    face = Face(np.array([60, 40, 100, 80], np.float32), 0.9, np.zeros((5, 2), np.float32))
    off = np.abs(baselines.superpixels(image, face).astype(int) - image)
    assert off.mean() < np.abs(baselines.fewer_pixels(image, face).astype(int) - image).mean() / 4


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net that draws what it sees, and one that undoes that: both change nothing."""
    torch = pytest.importorskip("torch")
    from sealshot.export.deid.export import export_drawing, export_undo
    from sealshot.export.deid.labels import ATTRIBUTES
    from sealshot.export.deid.training import Trained
    from sealshot.export.nets.deid import Reversible, Undo

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("nets")
    drawing, undo = Reversible(len(ATTRIBUTES)), Undo()
    for last in (drawing.net.last, undo.net.last):
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    manifest = export_drawing(Trained(drawing, undo, "none", (0.5,)), folder / "same.onnx")
    export_undo(undo, folder / "undo.onnx", "none", manifest.sha256)
    export_undo(undo, folder / "other.onnx", "none", "of another net")
    return folder


def test_faces_that_are_not_hidden_are_known_and_undone(
    nets: Path, people: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealshot.benchmarks.accuracy.deid.recognition.WIDTHS_PX", (64,))
    monkeypatch.setattr("sealshot.benchmarks.accuracy.deid.recognition.FMR", 0.02)
    monkeypatch.setattr("sealshot.benchmarks.accuracy.deid.drawn.FEWEST", 2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    labels = tmp_path / "labels.csv"
    with labels.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "Bangs", "Male"])
        rows.writerows([f"{k}.png", int(k < 3), 1] for k in range(5))
    out, sheets = tmp_path / "deid.json", tmp_path / "sheets"
    command = [str(people), "--recognizer", str(models / "matcher.onnx"), "-o", str(out)]
    command += ["--drawn", str(nets / "same.onnx"), "--undo", str(nets / "undo.onnx")]
    command += ["--attack", str(people), "--attack-steps", "2", "--sheets", str(sheets)]
    assert main([*command, "--probe", str(people), "--labels", str(labels)]) == 0
    told = json.loads(out.read_text())
    of = {row["style"]: row for row in told["rows"]}
    assert of["face"]["same_picture"] > 0.9
    assert not of["face"]["hides"]
    assert of["solid"]["same_picture"] < of["face"]["same_picture"]
    assert of["plain"]["average_precision"] == 1
    assert of["solid"]["average_precision"] == 0
    keeps = told["keeps"]
    assert keeps["diversity"] < 0.05  # one person in all tracks
    assert keeps["d_prime_tracks"] > 2
    assert max(keeps["pose_rad"]) < 0.1
    assert [label["name"] for label in keeps["labels"]] == ["Bangs"]  # all are male
    ways = {(way["by"], way["crf"]): way for way in told["undone"]}
    assert ways["U_d", None]["psnr_db"] > 35
    assert ways["U_d", None]["psnr_db"] > ways["U_d", 28]["psnr_db"]
    assert ways["U_d", None]["match"] > 0.9
    assert ("outsider", None) in ways
    written = {path.name: path.stat().st_mode & 0o777 for path in sheets.glob("*.png")}
    private = ["styles.png", "track.png", "diversity.png", "labels.png", "undone.png"]
    assert {name: written.pop(name) for name in private} == dict.fromkeys(private, 0o600)
    assert set(written) == {"confidence.png", "distances.png", "tracks.png"}  # they show nobody


def test_what_does_not_go_together_is_told(nets: Path, people: Path, models: Path) -> None:
    command = [str(people), "--recognizer", str(models / "matcher.onnx")]
    undo = ["--undo", str(nets / "other.onnx")]
    with pytest.raises(InputError, match="was trained to undo another net"):
        main([*command, "--drawn", str(nets / "same.onnx"), *undo])
    for wrong, why in ((undo, "go with --drawn"), (["--labels", "x.csv"], "go together")):
        with pytest.raises(InputError, match=why):
            main([*command, *wrong])
    with pytest.raises(InputError, match="there is no folder"):
        main([*command, "--drawn", str(nets / "same.onnx"), "--attack", str(people / "none")])
