"""Training: it learns, it can be stopped at any moment, and it ends the same."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sealshot.export.train import data  # noqa: E402
from sealshot.export.train import quality as train_quality  # noqa: E402
from sealshot.export.train.degrade import DEGRADATIONS, centre, non_face  # noqa: E402
from sealshot.export.train.detail import lost_detail  # noqa: E402
from sealshot.export.train.schedules import Schedule  # noqa: E402
from sealshot.export.train.training import fit, split  # noqa: E402
from sealshot.runtime.cli import main as cli  # noqa: E402
from sealshot.runtime.demo.clip import PORTRAIT  # noqa: E402
from sealshot.runtime.errors import InputError  # noqa: E402

SCHEDULE = Schedule(epochs=6, batch=8, learning_rate=0.3, seed=1)


def problem():
    """A line through noisy points."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    x = torch.randn(64, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.01 * torch.randn(64, 1)
    return model, lambda i: (model(x[i]) - y[i] + 0.1 * torch.randn(len(i), 1)).square().mean()


def train(path, schedule=SCHEDULE, stop_after=None):
    model, loss = problem()
    if stop_after is not None:
        calls = iter(range(stop_after))

        def counted(indices, loss=loss):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return loss(indices)

        loss = counted
    losses = fit(model, loss, *split(64, 0.125, 0), schedule, path, "test")
    return model.weight.detach().clone(), losses


def test_it_learns(tmp_path):
    _, losses = train(tmp_path / "c")
    assert len(losses.train) == len(losses.validation) == 6
    assert losses.validation[-1] < losses.validation[0] / 10


@pytest.mark.parametrize("stop_after", [1, 7, 8, 20, 40])
def test_stopped_and_resumed_ends_as_if_never_stopped(tmp_path, stop_after):
    weight, losses = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", stop_after=stop_after)
    again, resumed = train(tmp_path / "parts")
    assert torch.equal(weight, again)
    assert resumed == losses


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    train(tmp_path / "c")
    with pytest.raises(InputError, match="other settings"):
        train(tmp_path / "c", Schedule(epochs=7, batch=8, learning_rate=0.3, seed=1))
    (tmp_path / "c").write_bytes(b"junk")
    with pytest.raises(InputError, match="not a checkpoint"):
        train(tmp_path / "c")


@pytest.fixture(scope="module")
def context():
    """The portrait of the demo, as a context of 112 px around the face."""
    grey = cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE)
    return cv2.resize(grey[12:212, 21:221], (112, 112), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("degrade", DEGRADATIONS, ids=lambda d: d.__name__)
def test_degradations_go_from_as_it_is_to_barely_a_face(context, degrade):
    clean = centre(context).astype(float)
    changes = []
    for severity in (0.0, 0.25, 0.5, 0.75, 1.0):
        crop = degrade(context, severity, np.random.default_rng(3)).crop
        assert crop.shape == (64, 64)
        assert crop.dtype == np.uint8
        changes.append(np.abs(crop - clean).mean())
    assert changes[0] < 3
    assert changes[-1] > 8
    assert changes[1] < changes[-1]


@pytest.mark.parametrize("degrade", DEGRADATIONS, ids=lambda d: d.__name__)
def test_more_is_lost_the_harsher_the_degradation(context, degrade):
    clean = centre(context)
    lost = [
        np.mean(
            [
                lost_detail(clean, degrade(context, severity, np.random.default_rng(i)).in_place)
                for i in range(8)
            ]
        )
        for severity in (0.0, 0.4, 0.9)
    ]
    assert lost[0] < 0.05
    # alignment undoes a turn, and contrast does not count
    assert max(lost[0], lost[1] - 0.02) < lost[2] <= 1


def test_a_score_is_to_fall_by_what_is_lost(context):
    rng = np.random.default_rng(0)
    falls = [train_quality._degrade(context, rng)[1] for _ in range(60)]
    assert 0 <= min(falls) < 0.5
    assert 5 < max(falls) <= train_quality.LOST


def test_a_degradation_is_decided_by_its_seed(context):
    for degrade in DEGRADATIONS:
        first, second = (degrade(context, 0.6, np.random.default_rng(9)).crop for _ in range(2))
        assert np.array_equal(first, second)


def test_non_faces_are_of_every_kind(context):
    rng = np.random.default_rng(0)
    crops = [non_face(context[None], rng) for _ in range(20)]
    assert {c.shape for c in crops} == {(64, 64)}
    assert len({c.tobytes() for c in crops}) > 10


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures of one public-domain face, made different."""
    folder = tmp_path_factory.mktemp("pictures")
    portrait = cv2.imread(str(PORTRAIT))
    for i in range(12):
        picture = np.clip(portrait * (0.6 + 0.05 * i), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i:02}.png"), np.roll(picture, 3 * i, axis=1))
    cv2.imwrite(str(folder / "wall.png"), np.full((100, 100, 3), 128, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_the_command_trains_exports_and_plots(pictures, tmp_path, capsys):
    once = ["--rp-epochs", "1", "--quality-epochs", "1", "--threads", "1"]
    argv = ["train", str(pictures), "-o", str(tmp_path), *once]
    assert cli.main(argv) == 0
    out, err = capsys.readouterr()
    assert "12 faces in 14 pictures; 1 could not be read, 1 show no face" in err
    for name in ("rp", "quality"):
        assert name in out
        manifest = json.loads((tmp_path / f"{name}.json").read_text())
        assert manifest["name"] == name
        assert len(manifest["score"]["score_quantiles"]) == 101
    assert (tmp_path / "rp-pixels.onnx").is_file()
    assert (tmp_path / "loss.svg").read_text().lstrip().startswith("<?xml")
    assert cli.main(argv) == 0  # again: nothing is left to do
    assert "going on after epoch 1 of 1" in capsys.readouterr().err


@pytest.mark.parametrize("stop_at", [0, 1, 7, 13])
def test_cutting_that_is_interrupted_goes_on_where_it_was(
    pictures, tmp_path, monkeypatch, capsys, stop_at
):
    whole = data.cut_faces(pictures, tmp_path / "whole.npz")
    looked, look = [], data._look

    def interrupted(path, find, looker):
        if len(looked) == stop_at:
            raise KeyboardInterrupt
        looked.append(path)
        return look(path, find, looker)

    with monkeypatch.context() as patch:
        patch.setattr(data, "_look", interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.cut_faces(pictures, tmp_path / "parts.npz")
    assert f"{stop_at} of 14 pictures are kept" in capsys.readouterr().err
    monkeypatch.setattr(data, "_look", lambda path, *a: looked.append(path) or look(path, *a))
    parts = data.cut_faces(pictures, tmp_path / "parts.npz")
    assert len(looked) == len(set(looked)) == 14  # none twice
    for name in data.ARRAYS:
        assert np.array_equal(getattr(parts, name), getattr(whole, name)), name
    assert {f.name for f in tmp_path.iterdir()} == {"whole.npz", "parts.npz"}


def test_what_lies_in_place_of_unfinished_faces_is_told(pictures, tmp_path):
    (tmp_path / "faces.unfinished.npz").write_bytes(b"junk")
    with pytest.raises(InputError, match="does not hold face crops"):
        data.cut_faces(pictures, tmp_path / "faces.npz")


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda path: None, "there is no folder"),
        (Path.touch, "is no folder"),
        (Path.mkdir, "there is no picture (.bmp, .jpeg, .jpg, .png, .webp) in "),
    ],
)
def test_data_that_cannot_be_trained_on(tmp_path, capsys, make, fact):
    folder = tmp_path / "data"
    make(folder)
    assert cli.main(["train", str(folder), "-o", str(tmp_path / "out")]) == 2
    assert fact in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_module_can_be_run_without_a_terminal(pictures, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sealshot", "train", str(tmp_path), "-o", str(tmp_path)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
