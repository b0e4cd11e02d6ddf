"""`sealshot export`: files, manifests, and what it refuses."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sealshot.export.command import main  # noqa: E402
from sealshot.export.golden import FILE, draw_faces, golden_crops  # noqa: E402
from sealshot.export.nets.student import Student  # noqa: E402
from sealshot.export.nets.vae import SAMPLES, Vae  # noqa: E402
from sealshot.export.quantise import precisions  # noqa: E402
from sealshot.export.quantise.precisions import compare, screen_margin  # noqa: E402
from sealshot.export.train.expression import EYES_WEIGHT, SMILE_WEIGHT, TURN_WEIGHT  # noqa: E402
from sealshot.runtime.engines import open_engine, open_onnxruntime  # noqa: E402
from sealshot.runtime.engines.manifest import load_manifest  # noqa: E402
from sealshot.runtime.errors import InputError  # noqa: E402
from sealshot.runtime.weights import FOLDER, SCORES, score_graph  # noqa: E402


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    path = tmp_path_factory.mktemp("faces") / "drawn.npz"
    np.savez(path, crops=draw_faces(24, seed=9), names=np.array(["drawn"]))
    return path


def checkpoint(path, model, seed=4):
    state = model.state_dict()
    torch.save({"best": state, "model": state, "schedule": {"seed": seed}}, path)
    return path


def test_all_precisions_of_a_score_that_ships(faces, tmp_path, capsys):
    argv = ["quality", "-o", str(tmp_path), "--precision", "fp32,fp16,int8"]
    assert main([*argv, "--calibrate", str(faces), "--sensitivity", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [f["precision"] for f in told["files"]] == ["fp32", "fp16", "int8"]
    assert [f["size"] for f in told["files"]] == sorted(f["size"] for f in told["files"])[::-1]
    assert told["sensitivity"][-1]["layer"] == "all layers"
    source = load_manifest(score_graph("quality"))
    expected = open_onnxruntime(score_graph("quality")).score(golden_crops())
    for infix, precision, least in (
        ("", "fp32", 1),
        (".fp16", "fp16", 0.999),
        (".int8", "int8", 0.9),
    ):
        path = tmp_path / f"quality{infix}.onnx"
        manifest = load_manifest(path)
        assert manifest.precision == precision
        assert (manifest.name, manifest.seed, manifest.training_set_sha256) == (
            source.name, source.seed, source.training_set_sha256,
        )  # fmt: skip
        assert bool(manifest.calibration) is (precision == "int8")
        assert (manifest.screen_margin is not None) is (precision == "int8")
        scores = open_onnxruntime(path).score(golden_crops())
        assert np.corrcoef(scores, expected)[0, 1] >= least - 1e-6
    calibration = load_manifest(tmp_path / "quality.int8.onnx").calibration
    assert calibration["set"] == "drawn"
    assert calibration["crops"] == "24"
    assert calibration["recipe"] == "cpu"


def test_the_margin_is_what_one_crop_may_lose_on_another():
    errors = np.arange(100.0)  # of 10,000 pairs, 10 differ by 96 and more
    assert screen_margin(errors) == pytest.approx(96, abs=1)
    assert screen_margin(errors + 1e6) == screen_margin(errors)  # what all have in common is none
    assert screen_margin(2 * errors) == 2 * screen_margin(errors)
    assert screen_margin(np.full(16, 7.0)) == 0


def test_more_samples_cost_more_and_rank_alike(faces, tmp_path, capsys):
    found = {}
    for samples, count in (("mean", 1), ("10", 10)):
        out = tmp_path / samples
        argv = ["rp", "-o", str(out), "--calibrate", str(faces), "--samples", samples]
        assert main([*argv, "--precision", "fp32,int8"]) == 0
        found[samples] = load_manifest(out / "rp.onnx")
        assert found[samples].samples == count
        assert load_manifest(out / "rp.int8.onnx").samples == count
    mean, ten = found["mean"], found["10"]
    assert mean.macs_per_face < ten.macs_per_face / 5
    assert mean.score_quantiles != ten.score_quantiles  # taken anew
    few, many, int8 = (
        open_onnxruntime(tmp_path / file).score(golden_crops())
        for file in ("mean/rp.onnx", "10/rp.onnx", "mean/rp.int8.onnx")
    )
    assert np.corrcoef(few, many)[0, 1] > 0.98
    assert np.corrcoef(few, int8)[0, 1] > 0.95
    capsys.readouterr()


@pytest.mark.parametrize("kind", ["rp", "quality"])
def test_a_checkpoint_is_exported(kind, faces, tmp_path, capsys):
    torch.manual_seed(0)
    file = checkpoint(tmp_path / "some.ckpt", Vae() if kind == "rp" else Student())
    assert main([str(file), "-o", str(tmp_path / "out"), "--calibrate", str(faces)]) == 0
    manifest = load_manifest(tmp_path / "out" / f"{kind}.onnx")
    assert manifest.seed == 4
    assert manifest.samples == (SAMPLES if kind == "rp" else 0)
    assert manifest.score_quantiles[0] < manifest.score_quantiles[100]
    assert kind in capsys.readouterr().out


def test_a_checkpoint_heeds_the_eyes_if_their_network_lies_beside_it(faces, tmp_path):
    file, out = checkpoint(tmp_path / "quality.ckpt", Student()), tmp_path / "out"
    argv = [str(file), "-o", str(out), "--calibrate", str(faces)]
    assert main(argv) == 0
    assert load_manifest(out / "quality.onnx").eyes_weight == 0
    for name in ("eyes.onnx", "eyes.json"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    assert main(argv) == 0
    assert load_manifest(out / "quality.onnx").eyes_weight == EYES_WEIGHT
    assert load_manifest(out / "quality.onnx").smile_weight == SMILE_WEIGHT
    assert load_manifest(out / "quality.onnx").turn_weight == TURN_WEIGHT
    assert (out / "eyes.onnx").read_bytes() == (FOLDER / "eyes.onnx").read_bytes()
    vae = checkpoint(tmp_path / "rp.ckpt", Vae())
    assert main([str(vae), "-o", str(out), "--calibrate", str(faces)]) == 0
    assert load_manifest(out / "rp.onnx").eyes_weight == 0


def test_a_checkpoint_without_faces_is_refused(tmp_path):
    file = checkpoint(tmp_path / "some.ckpt", Student())
    with pytest.raises(InputError, match="distribution") as caught:
        main([str(file), "-o", str(tmp_path)])
    assert "--calibrate" in caught.value.hint


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["beauty", "-o", "{tmp}"], "no score"),
        (["{tmp}/absent.onnx", "-o", "{tmp}"], "no model file"),
        (["{tmp}/absent.ckpt", "-o", "{tmp}"], "no file"),
        (["{tmp}/junk.ckpt", "-o", "{tmp}"], "not a checkpoint"),
        (["{tmp}/other.ckpt", "-o", "{tmp}", "--calibrate", "{faces}"], "another architecture"),
        (["quality"], "written"),
        (["quality", "-o", "{tmp}/junk.ckpt", "--calibrate", "{faces}"], "cannot be made"),
        (["quality", "-o", "{tmp}", "--precision", "int4"], "int4"),
        (["quality", "-o", "{tmp}", "--precision", "int8"], "calibrated"),
        (["quality", "-o", "{tmp}", "--sensitivity"], "calibrated"),
        (["quality", "-o", "{tmp}", "--samples", "2"], "no latent samples"),
        (["rp", "-o", "{tmp}", "--samples", "-2"], "number of samples"),
        (["quality", "-o", "{tmp}", "--recipe", "gpu"], "invalid choice"),
        (["{tmp}/int8.onnx", "-o", "{tmp}"], "of int8"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/absent"], "no folder"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/absent.npz"], "no file"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/junk.npz"], "no face crops"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/flat.npz"], "float64"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/few.npz"], "too few"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/empty"], "there is no picture"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/black.npz"], "fewer than 16 show"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/grey.npz"], "fewer than 16 show"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/same.npz"], "are not the same"),
        (["quality", "-o", "{tmp}", "--calibrate", "{tmp}/dark.npz"], "grey levels of"),
    ],
)
def test_bad_input_is_refused(argv, fact, faces, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    (tmp_path / "junk.npz").write_bytes(b"junk")
    np.savez(tmp_path / "flat.npz", crops=np.zeros((30, 4096)))
    np.savez(tmp_path / "few.npz", crops=draw_faces(3))
    black = np.zeros((64, 1, 64, 64), np.uint8)
    levels = np.arange(64, dtype=np.uint8)[:, None, None, None]
    np.savez(tmp_path / "black.npz", crops=black)
    np.savez(tmp_path / "grey.npz", crops=black + levels)
    np.savez(tmp_path / "same.npz", crops=np.repeat(draw_faces(1), 64, 0))
    np.savez(tmp_path / "dark.npz", crops=draw_faces(24) // 5)
    checkpoint(tmp_path / "other.ckpt", torch.nn.Linear(2, 2))
    for ending in (".onnx", ".json"):
        shutil.copy(score_graph("rp").with_name(f"rp.int8{ending}"), tmp_path / f"int8{ending}")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=fact):
        main([a.format(tmp=tmp_path, faces=faces) for a in argv])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_form_that_ranks_otherwise_is_not_written(faces, tmp_path, monkeypatch):
    def worse(graph, path, precision, crops):
        measured = compare(graph, path, precision, crops)
        return replace(measured, spearman=rank) if precision == "int8" else measured

    monkeypatch.setattr(precisions, "compare", worse)
    argv = ["quality", "-o", str(tmp_path), "--precision", "fp32,int8", "--calibrate", str(faces)]
    for rank in (0.9899, float("nan")):
        with pytest.raises(InputError, match=rf"Spearman {rank:.3f}, below 0.99; nothing was"):
            main(argv)
        assert not list(tmp_path.iterdir())
    rank = 0.99
    assert main(argv) == 0


@pytest.mark.parametrize(
    ("machine", "file"), [("x86_64", "quality.int8.onnx"), ("aarch64", "quality.int8-arm.onnx")]
)
def test_the_recipe_is_that_of_the_processor(faces, tmp_path, monkeypatch, machine, file):
    monkeypatch.setattr("platform.machine", lambda: machine)
    argv = ["quality", "-o", str(tmp_path), "--precision", "int8", "--calibrate", str(faces)]
    assert main(argv) == 0
    assert sorted(f.name for f in tmp_path.glob("*.onnx")) == ["eyes.onnx", file]
    opened = open_engine(tmp_path / file, "onnxruntime")
    assert opened.manifest.calibration["recipe"] == ("cpu" if machine == "x86_64" else "arm")


@pytest.mark.parametrize("name", SCORES)
def test_the_golden_scores_are_of_the_models_that_ship(name):
    """Else: `python -m sealshot.export.golden`."""
    with np.load(FILE) as kept:
        assert str(kept[f"{name}_sha256"]) == load_manifest(score_graph(name)).sha256
        expected = kept[name]
        crops = kept["crops"]
    scores = open_onnxruntime(score_graph(name)).score(crops)
    assert scores == pytest.approx(expected, abs=1e-4 * expected.std())
    assert np.array_equal(crops, golden_crops())
