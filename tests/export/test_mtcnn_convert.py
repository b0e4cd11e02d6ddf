"""The converter of MTCNN's weights: its graphs against PyTorch layers, its errors, what ships."""

import hashlib
import io
import json
import zipfile

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch.nn import functional as fn

from sealshot.export import mtcnn
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import FOLDER

# convolutions (in, out, kernel) and dense layers (in, out) of Zhang et al.; heads come last
LAYERS = {
    "pnet": (
        ["conv1 3 10 3", "conv2 10 16 3", "conv3 16 32 3"],
        ["conv4_1 32 2 1", "conv4_2 32 4 1"],
    ),
    "rnet": (
        ["conv1 3 28 3", "conv2 28 48 3", "conv3 48 64 2", "dense4 576 128"],
        ["dense5_1 128 2", "dense5_2 128 4"],
    ),
    "onet": (
        ["conv1 3 32 3", "conv2 32 64 3", "conv3 64 64 3", "conv4 64 128 2", "dense5 1152 256"],
        ["dense6_1 256 2", "dense6_2 256 4", "dense6_3 256 10"],
    ),
}
POOLS = {"pnet": (2,), "rnet": (3, 3), "onet": (3, 3, 2)}


def random_weights(name, seed=0):
    make = torch.Generator().manual_seed(seed)
    weights = {}
    hidden, heads = LAYERS[name]
    for layer in hidden + heads:
        key, *sizes = layer.split()
        inputs, outputs, *kernel = map(int, sizes)
        shape = (outputs, inputs, *(kernel * 2))
        scale = 1.4 / np.sqrt(np.prod(shape[1:]))
        weights[f"{key}.weight"] = scale * torch.randn(shape, generator=make)
        weights[f"{key}.bias"] = 0.3 * torch.randn(outputs, generator=make)
        if layer in hidden:  # slopes below 0 and above 1 occur in the trained weights
            slope = 0.8 * torch.randn(outputs, generator=make)
            slope[:3] = torch.tensor([-1.3, 1.2, 0.0])
            weights[f"prelu{key[-1]}.weight"] = slope
    return weights


def forward(name, weights, rgb):
    """The network as published, on float RGB pixels [n, 3, h, w]."""
    w = weights
    x = (rgb - 127.5) / 128
    hidden, heads = LAYERS[name]
    for n, layer in enumerate(hidden):
        key = layer.split()[0]
        if key.startswith("dense"):
            x = x.permute(0, 3, 2, 1).flatten(1) if x.ndim == 4 else x
            x = fn.linear(x, w[f"{key}.weight"], w[f"{key}.bias"])
        else:
            x = fn.conv2d(x, w[f"{key}.weight"], w[f"{key}.bias"])
        x = fn.prelu(x, w[f"prelu{key[-1]}.weight"])
        if n < len(POOLS[name]):
            x = fn.max_pool2d(x, POOLS[name][n], 2, ceil_mode=True)
    layer = fn.conv2d if name == "pnet" else fn.linear
    out = [layer(x, w[f"{key}.weight"], w[f"{key}.bias"]) for key in (h.split()[0] for h in heads)]
    out[0] = out[0].softmax(dim=1)[:, 1]
    if name == "onet":
        out[2] = out[2].reshape(-1, 2, 5).permute(0, 2, 1)
    return [t.numpy() for t in out]


def run(model, image):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})


@pytest.fixture(scope="module")
def weights():
    return {name: random_weights(name) for name in LAYERS}


@pytest.fixture(scope="module")
def models(weights):
    return mtcnn.networks(
        {name: {k: v.numpy() for k, v in w.items()} for name, w in weights.items()}
    )


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("pnet", (1, 12, 12)),
        ("pnet", (1, 13, 14)),
        ("pnet", (2, 41, 64)),
        ("rnet", (1, 24, 24)),
        ("rnet", (7, 24, 24)),
        ("onet", (3, 48, 48)),
    ],
)
def test_a_graph_computes_what_the_network_does(weights, models, name, shape):
    bgr = np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.float32)
    rgb = torch.from_numpy(bgr[..., ::-1].copy()).permute(0, 3, 1, 2)
    given = bgr.transpose(0, 3, 1, 2) if name == "pnet" else bgr
    found, expected = run(models[name], given), forward(name, weights[name], rgb)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert ours == pytest.approx(theirs, abs=2e-4)
    assert np.ptp(expected[1]) > 0.1  # else nothing was compared


@pytest.mark.parametrize("size", [(12, 12), (41, 64), (64, 41), (90, 90)])
def test_the_coarse_graph_gives_every_second_window(models, size):
    image = np.random.default_rng(2).integers(0, 256, (1, 3, *size)).astype(np.float32)
    score, box = run(models["pnet"], image)
    coarse_score, coarse_box = run(models["pnet_stride4"], image)
    assert coarse_score == pytest.approx(score[:, ::2, ::2], abs=1e-5)
    assert coarse_box == pytest.approx(box[:, :, ::2, ::2], abs=1e-5)


@pytest.mark.parametrize("name", ["rnet", "onet"])
def test_a_batch_of_none_gives_none(models, name):
    side = {"rnet": 24, "onet": 48}[name]
    for output in run(models[name], np.empty((0, side, side, 3), np.float32)):
        assert len(output) == 0


def saved(tensors):
    data = io.BytesIO()
    torch.save(tensors, data)
    return data.getvalue()


OTHER = saved({"conv1.weight": torch.zeros(32, 3, 3, 3)})


def wheel(path, weights, **replaced):
    with zipfile.ZipFile(path, "w") as archive:
        for name, tensors in weights.items():
            content = replaced.get(name, saved(tensors))
            if content is not None:
                archive.writestr(f"facenet_pytorch/data/{name}.pt", content)
    return path


def test_a_wheel_becomes_files_with_their_origin(weights, tmp_path, capsys):
    source = wheel(tmp_path / "facenet_pytorch-0.0.0-py3-none-any.whl", weights)
    out = tmp_path / "out"
    out.mkdir()
    assert mtcnn.main([str(source), "-o", str(out)]) == 0
    origin = json.loads((out / "mtcnn.json").read_text())
    graphs = sorted(out.glob("*.onnx"))
    assert sorted(origin["sha256"]) == [path.name for path in graphs]
    for path in graphs:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == origin["sha256"][path.name]
    assert origin["weights"].startswith(source.name)
    assert origin["weights_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    printed = capsys.readouterr().out.split()
    assert sorted(printed) == sorted(str(path) for path in out.iterdir())


def test_converting_twice_gives_the_same_bytes(weights, tmp_path):
    source = wheel(tmp_path / "a.whl", weights)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        mtcnn.convert(source, folder)
    one, two = ({p.name: p.read_bytes() for p in folder.iterdir()} for folder in folders)
    assert one == two


@pytest.mark.parametrize(
    "replaced", [{"onet": None}, {"rnet": b"no tensor"}, {"pnet": b""}, {"onet": OTHER}]
)
def test_a_wheel_without_the_weights_is_refused(weights, tmp_path, replaced):
    source = wheel(tmp_path / "facenet_pytorch.whl", weights, **replaced)
    with pytest.raises(InputError, match="not a facenet-pytorch wheel") as caught:
        mtcnn.main([str(source), "-o", str(tmp_path)])
    assert "pip download" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


class _Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code from the wheel ran')",))


def test_code_in_a_wheel_does_not_run(weights, tmp_path):
    evil = saved({"conv1.weight": _Evil()})
    source = wheel(tmp_path / "facenet_pytorch.whl", weights, pnet=evil)
    with pytest.raises(InputError, match="not a facenet-pytorch wheel"):
        mtcnn.read_wheel(source)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short"])
def test_what_is_no_zip_is_refused(tmp_path, content):
    path = tmp_path / "x.whl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="not a facenet-pytorch wheel"):
        mtcnn.read_wheel(path)


def test_a_folder_that_is_not_there_is_named(weights, tmp_path):
    source = wheel(tmp_path / "a.whl", weights)
    with pytest.raises(InputError, match="no folder"):
        mtcnn.main([str(source), "-o", str(tmp_path / "absent")])


def test_help_shows_the_usage(capsys):
    with pytest.raises(SystemExit, match="0"):
        mtcnn.main(["--help"])
    assert "example:" in capsys.readouterr().out


def test_the_files_that_ship_are_those_of_the_sidecar():
    origin = json.loads((FOLDER / "mtcnn.json").read_text())
    assert set(origin["sha256"]) == {path.name for path in FOLDER.glob("mtcnn_*.onnx")}
    for name, digest in origin["sha256"].items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest


def test_the_files_that_ship_are_small_and_old_enough_to_be_read():
    sizes = 0
    for path in FOLDER.glob("mtcnn_*.onnx"):
        model = onnx.load(str(path))
        assert model.ir_version <= 9  # ONNX Runtime 1.17
        assert all(entry.version <= 17 for entry in model.opset_import)
        sizes += path.stat().st_size
    assert 1_500_000 < sizes < 2_200_000


def test_the_licence_of_the_weights_ships():
    text = (FOLDER / "MTCNN-LICENSE.md").read_text()
    assert "MIT License" in text
    assert "Tim" in text
    assert "WITHOUT WARRANTY" in text
