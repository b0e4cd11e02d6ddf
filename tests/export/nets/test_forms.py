"""The forms of the scores: rewritings that change nothing but roundings."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import conv_transpose2d  # noqa: E402

from sealshot.export.golden import draw_faces  # noqa: E402
from sealshot.export.nets.forms import (  # noqa: E402
    FloatRp,
    Int8Rp,
    _SmallUp,
    _Up,
    phase_weights,
    transposed_weight,
)
from sealshot.export.nets.onnx_export import fold, to_onnx  # noqa: E402
from sealshot.export.nets.student import Student  # noqa: E402
from sealshot.export.nets.vae import RpScore  # noqa: E402
from sealshot.export.quantise.equalise import equalise  # noqa: E402
from sealshot.export.quantise.half import halve  # noqa: E402
from sealshot.export.rebuild import load_graph  # noqa: E402
from sealshot.runtime.engines.manifest import load_manifest  # noqa: E402
from sealshot.runtime.engines.onnx_session import open_session  # noqa: E402
from sealshot.runtime.errors import InputError  # noqa: E402
from sealshot.runtime.weights import score_graph  # noqa: E402


@pytest.fixture(scope="module")
def crops():
    return torch.from_numpy(draw_faces(12, seed=3))


@pytest.fixture(scope="module", params=[10, 1])
def rp(request):
    path = score_graph("rp")
    trained = load_graph(path, load_manifest(path))
    return fold(RpScore(trained.vae, seed=1, samples=request.param))


def exact(graph, crops):
    with torch.no_grad():
        return copy.deepcopy(graph).double().eval()(crops).numpy()


def test_the_phases_of_a_transposed_convolution_and_back():
    weight = torch.randn(3, 5, 4, 4)
    phases = phase_weights(weight)
    assert phases.shape == (2, 2, 5, 3, 2, 2)
    assert torch.equal(transposed_weight(phases), weight)


@pytest.mark.parametrize("form", [_Up, _SmallUp])
@pytest.mark.parametrize("size", [1, 4, 7])
def test_the_sub_pixel_form_is_the_transposed_convolution(form, size):
    torch.manual_seed(size)
    layer = torch.nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1).double()
    up = form(layer).double()
    up.act = torch.nn.Identity()
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    expected = conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1)
    found = up(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    assert torch.allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["float", "int8", "equalised"])
def test_each_form_of_rp_is_rp(rp, crops, kind):
    made = {
        "float": lambda: FloatRp(copy.deepcopy(rp)),
        "int8": lambda: Int8Rp(copy.deepcopy(rp), crops),
        "equalised": lambda: Int8Rp(equalise(rp, crops), crops),
    }
    expected = exact(rp, crops)
    # weights are rounded to float32 once more where a form multiplies them
    assert exact(made[kind](), crops) == pytest.approx(expected, abs=1e-4 * expected.std())


def test_linear_channels_that_leave_their_range_are_cut(rp, crops):
    """Why the int8 form needs crops like those it will see: this form can be wrong."""
    form = Int8Rp(copy.deepcopy(rp), crops[:1])
    with torch.no_grad():
        form.last.bias[-8:] -= 100
    assert np.abs(exact(form, crops) - exact(rp, crops)).max() > 1


def test_equalised_channels_have_ranges_that_are_more_alike(rp, crops):
    def spread(graph):
        seen = []
        layer = graph.vae.decoder[6]
        handle = layer.register_forward_hook(
            lambda _m, _i, out: seen.append(out.abs().amax((0, 2, 3)))
        )
        with torch.no_grad():
            graph(crops)
        handle.remove()
        return float(seen[0].max() / seen[0].min())

    assert spread(equalise(rp, crops, 1.0)) == pytest.approx(1, rel=1e-3)
    assert spread(equalise(rp, crops, 0.5)) < spread(rp)


def test_the_student_is_equalised_exactly(crops):
    path = score_graph("quality")
    student = fold(load_graph(path, load_manifest(path)))
    assert exact(equalise(student, crops), crops) == pytest.approx(exact(student, crops), rel=1e-4)


def test_equalising_an_unknown_model_is_refused(crops):
    with pytest.raises(TypeError, match="Linear"):
        equalise(torch.nn.Linear(2, 2), crops)


@pytest.mark.parametrize("name", ["rp", "quality"])
def test_a_graph_that_ships_is_rebuilt_bit_for_bit(name, tmp_path):
    path = score_graph(name)
    manifest = load_manifest(path)
    graph = load_graph(path, manifest)
    folded = fold(graph)
    form = FloatRp(folded) if name == "rp" else folded
    again = tmp_path / path.name
    again.write_bytes(to_onnx(form, ["crops"], ["score"]))
    back = load_graph(again, manifest).state_dict()
    for key, value in graph.state_dict().items():
        assert torch.allclose(value.float(), back[key].float(), rtol=1e-6, atol=1e-7), key


def test_only_float32_can_be_rebuilt():
    path = score_graph("rp").with_name("rp.int8.onnx")
    with pytest.raises(InputError, match="of int8"):
        load_graph(path, load_manifest(path))


@pytest.mark.parametrize("name", ["rp", "quality"])
def test_float16_scores_nearly_as_float64(name, crops, tmp_path):
    import onnx

    path = score_graph(name)
    graph = load_graph(path, load_manifest(path))
    folded = fold(graph)
    half = halve(FloatRp(folded) if name == "rp" else folded)
    file = tmp_path / "half.onnx"
    file.write_bytes(to_onnx(half, ["crops"], ["score"]))
    (scores,) = open_session(file, threads=1).run(["score"], {"crops": crops.numpy()})
    assert scores.dtype == np.float32
    expected = exact(graph, crops)
    assert scores == pytest.approx(expected, abs=0.02 * expected.std())
    kinds = {t.data_type for t in onnx.load(file).graph.initializer if len(t.dims) == 4}
    assert kinds == {onnx.TensorProto.FLOAT16}  # as a property of the graph


def test_no_float16_form_of_an_unknown_model():
    with pytest.raises(TypeError, match="Linear"):
        halve(torch.nn.Linear(2, 2))


def test_a_student_keeps_its_weights_when_halved():
    student = fold(Student().eval())
    halve(student)
    assert {p.dtype for p in student.parameters()} == {torch.float32}
