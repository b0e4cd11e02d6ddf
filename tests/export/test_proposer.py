"""The network that looks quickly: its graph against the PyTorch net, what it learns, what ships."""

import hashlib
import json
import shutil

import numpy as np
import onnxruntime as ort
import pytest
import torch

from sealshot.export import proposer
from sealshot.runtime.demo.clip import PORTRAIT
from sealshot.runtime.detect.mtcnn import Mtcnn
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import FOLDER


def run(model, image):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["score", "box"], {"image": image})


@pytest.mark.parametrize("size", [(12, 12), (12, 16), (41, 64)])
def test_the_graph_computes_what_the_network_does(size):
    torch.manual_seed(2)
    net = proposer.Proposer()
    torch.nn.init.normal_(net.parts()[-1][0], std=0.2)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 3, *size)).astype(np.float32)
    with torch.no_grad():
        expected = net((torch.from_numpy(pixels) - 127.5) / 128)
    score, box = run(proposer.model(net), pixels)
    assert score.shape == (2, (size[0] - 12) // 4 + 1, (size[1] - 12) // 4 + 1)
    assert score == pytest.approx(torch.sigmoid(expected[:, 0]).numpy(), abs=1e-4)
    assert box == pytest.approx(expected[:, 1:].numpy(), abs=1e-4)
    assert np.ptp(score) > 0.01


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(PORTRAIT, folder)
    return folder


def test_a_collage_comes_with_what_the_p_net_says_of_each_window(pictures):
    pixels, score, offsets = proposer.Collages([(pictures, 0.5)], 1, 1).batch()
    side = (proposer.COLLAGE_PX - 12) // 4 + 1
    assert pixels.shape == (proposer.BATCH, 3, proposer.COLLAGE_PX, proposer.COLLAGE_PX)
    assert score.shape == (proposer.BATCH, side, side)
    assert offsets.shape == (proposer.BATCH, 4, side, side)
    assert 0 < float((score > 0.85).float().mean()) < 0.2
    image = (pixels[:1] * 128 + 127.5).numpy()
    given = Mtcnn(threads=1)._pnets[4].run({"image": image})
    assert given["score"] == pytest.approx(score[:1].numpy(), abs=1e-3)


def test_it_learns(pictures, monkeypatch):
    """From one face, in a few steps: faces get a higher score than all else."""
    for name, count in (("AT_FIRST", 4), ("NEW", 1), ("BATCH", 4)):
        monkeypatch.setattr(proposer, name, count)
    collages = proposer.Collages([(pictures, 0.5)], 1, 1)
    net = proposer.train(collages, 150, 1)
    pixels, score, _ = collages.batch()
    with torch.no_grad():
        found = net(pixels)[:, 0]
    assert float(found[score > 0.85].mean()) > float(found[score < 0.1].mean()) + 0.5


@pytest.mark.parametrize("folder", ["faces", "faces:", ":0.5", "faces:0", "faces:2", "faces:nan"])
def test_a_folder_needs_the_share_of_its_faces(folder, tmp_path):
    with pytest.raises(InputError, match="no folder with the share"):
        proposer.main([folder, "-o", str(tmp_path)])


@pytest.mark.parametrize(
    ("files", "fact"),
    [([], "there is no picture"), ([b"", b"no picture"], "none of the pictures can be read")],
)
def test_a_folder_needs_pictures(files, fact, tmp_path):
    for i, data in enumerate(files):
        (tmp_path / f"{i}.jpg").write_bytes(data)
    with pytest.raises(InputError, match=fact):
        proposer.main([f"{tmp_path}:.5", "-o", str(tmp_path), "--steps", "1"])


def test_a_picture_that_cannot_be_read_is_left_out(pictures):
    (pictures / "broken.jpg").write_bytes(b"no picture")
    collages = proposer.Collages([(pictures, 0.5)], 2, 1)
    assert all(collages._decoded()[0].size for _ in range(20))
    assert len(collages._coded) == 1


def test_the_command_writes_both_files(pictures, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(proposer, "AT_FIRST", 6)
    out = tmp_path / "out"
    out.mkdir()
    assert proposer.main([f"{pictures}:.5", "-o", str(out), "--steps", "1"]) == 0
    said = json.loads((out / "proposer.json").read_text())
    assert said["sha256"] == hashlib.sha256((out / "proposer.onnx").read_bytes()).hexdigest()
    assert said["steps"] == 1
    assert said["trained_on"] == ["pictures"]
    assert capsys.readouterr().out.split() == [
        str(out / name) for name in ("proposer.onnx", "proposer.json")
    ]


def test_the_file_that_ships_is_that_of_the_sidecar():
    said = json.loads((FOLDER / "proposer.json").read_text())
    assert said["sha256"] == hashlib.sha256((FOLDER / "proposer.onnx").read_bytes()).hexdigest()
