"""The models: their size, their arithmetic, and what becomes of them in ONNX."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sealshot.export.nets.onnx_export import (  # noqa: E402
    Origin,
    count_macs,
    export_score_graph,
    fold,
    to_onnx,
)
from sealshot.export.nets.student import Student  # noqa: E402
from sealshot.export.nets.vae import (  # noqa: E402
    LATENT,
    SIGMA_FLOOR,
    SLOPE,
    RpPixels,
    RpScore,
    Vae,
    log_likelihood,
    noise,
)
from sealshot.kernels.reference import rp_likelihood, sample_latents  # noqa: E402
from sealshot.runtime.engines import open_onnxruntime  # noqa: E402
from sealshot.runtime.engines.onnx_session import open_session  # noqa: E402


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (7, 1, 64, 64), dtype=np.uint8)


@pytest.fixture(scope="module")
def vae():
    """Random weights, and batch norms that are not the identity."""
    torch.manual_seed(0)
    model = Vae()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return model.eval()


def test_the_vae_has_the_size_of_the_paper_and_fits_the_budget(vae):
    assert 3.2e6 <= parameters(vae) <= 3.6e6
    assert count_macs(RpScore(vae, seed=1)) <= 0.25e9


def test_the_vae_has_the_shape_of_the_paper(vae):
    kinds = [type(m).__name__ for m in vae.modules()]
    assert (kinds.count("Conv2d"), kinds.count("ConvTranspose2d")) == (5 + 2, 5)
    assert kinds.count("BatchNorm2d") == kinds.count("LeakyReLU") == 10
    assert kinds.count("Linear") == 2
    slopes = {m.negative_slope for m in vae.modules() if isinstance(m, torch.nn.LeakyReLU)}
    assert slopes == {SLOPE} == {26 / 256}


def test_the_student_costs_at_most_a_tenth_of_its_teacher(vae):
    assert count_macs(Student()) <= count_macs(RpScore(vae, seed=1, samples=10)) / 10


@pytest.mark.parametrize("samples", [1, 2, 9, 10])
def test_noise_is_balanced_and_the_same_each_time(samples):
    values = noise(3, samples)
    assert values.shape == (samples, LATENT)
    assert torch.equal(values, noise(3, samples))
    if samples % 2 == 0:
        assert values.mean(0).abs().max() < 1e-6
        assert torch.allclose(values.square().mean(0), torch.ones(LATENT))


def test_sigma_has_a_floor(vae):
    z = 100 * torch.randn(50, LATENT, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        log_var = vae.decode(z).log_var
    assert log_var.min() >= 2 * np.log(SIGMA_FLOOR) - 1e-6


def test_the_score_graph_is_the_reference(vae, crops):
    """Against the definition, in float64."""
    graph = RpScore(vae, seed=1, samples=10).double().eval()
    x = torch.from_numpy(crops)
    with torch.no_grad():
        score = graph(x).numpy()
        pixels = x.double() / 255
        z = sample_latents(*(t.numpy() for t in graph.vae.encode(pixels)), graph.noise.numpy())
        decoded = graph.vae.decode(torch.from_numpy(z.reshape(-1, LATENT)))
    mu, log_var = (t.numpy().reshape(len(crops), 10, 4096) for t in decoded)
    expected = rp_likelihood(pixels.numpy().reshape(-1, 4096), mu, log_var)
    assert score == pytest.approx(expected, rel=1e-12)
    graph.vae.float()


def test_the_training_loss_is_the_reference(vae, crops):
    with torch.no_grad():
        x = torch.from_numpy(crops).float() / 255
        decoded = vae.decode(vae.encode(x)[0])
        value = log_likelihood(x, decoded).numpy()
    arrays = [t.numpy().reshape(len(crops), 4096) for t in (x, *decoded)]
    expected = rp_likelihood(arrays[0], arrays[1][:, None], arrays[2][:, None])
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["rp", "student"])
def test_the_exported_graph_scores_as_the_model_in_float64(vae, crops, kind, tmp_path):
    torch.manual_seed(1)
    model = RpScore(vae.float(), seed=1) if kind == "rp" else Student().eval()
    origin = Origin(kind, "test", 1, "noise", "none", samples=10)
    manifest = export_score_graph(model, tmp_path / "m.onnx", origin, crops)
    engine = open_onnxruntime(tmp_path / "m.onnx", threads=1)
    with torch.no_grad():
        expected = model.double().eval()(torch.from_numpy(crops)).numpy()
    model.float()
    scores = engine.score(crops)
    assert scores.dtype == np.float32
    assert scores == pytest.approx(expected, rel=2e-5, abs=2e-5)
    assert (np.argsort(scores) == np.argsort(expected)).all()
    assert engine.score(crops[:0]).shape == (0,)
    each = np.concatenate([engine.score(crops[i : i + 1]) for i in range(len(crops))])
    assert each == pytest.approx(scores, rel=1e-5, abs=1e-5)  # the batch does not matter
    assert manifest.macs_per_face == count_macs(model)
    assert manifest.score_quantiles[100] == pytest.approx(scores.max(), abs=1e-3)


def test_the_second_form_ends_where_the_likelihood_begins(vae, crops, tmp_path):
    path = tmp_path / "pixels.onnx"
    path.write_bytes(
        to_onnx(fold(RpPixels(vae.float(), seed=1, samples=10)), ["crops"], ["mu", "log_var"])
    )
    mu, log_var = open_session(path, threads=1).run(["mu", "log_var"], {"crops": crops})
    assert mu.shape == log_var.shape == (len(crops), 10, 4096)
    with torch.no_grad():
        score = RpScore(vae, seed=1, samples=10).double().eval()(torch.from_numpy(crops)).numpy()
    vae.float()
    likelihood = rp_likelihood(crops.reshape(-1, 4096) / 255, mu, log_var)
    assert likelihood == pytest.approx(score, rel=2e-5)


def test_no_batch_norm_is_left_after_folding(vae):
    import onnx

    folded = fold(RpScore(vae, seed=1))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    model = onnx.load_from_string(to_onnx(folded, ["crops"], ["score"]))
    kinds = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in kinds
    assert {node.domain for node in model.graph.node} == {""}  # no custom operator
    assert model.opset_import[0].version == 17
