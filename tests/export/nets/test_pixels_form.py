"""The form of `rp` that ends at the pixels: with our likelihood it is the score."""

import pytest

pytest.importorskip("torch")

import numpy as np
import onnxruntime as ort

from sealshot import kernels
from sealshot.export import command
from sealshot.export.golden import golden_crops
from sealshot.runtime.engines import open_engine, open_onnxruntime
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import score_graph
from sealshot.runtime.weights.forms import forms


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rp")
    assert command.main(["rp", "-o", str(folder), "--precision", "fp32,fp16", "--pixels"]) == 0
    return folder


@pytest.mark.parametrize(("precision", "share"), [("fp32", 1e-5), ("fp16", 0.05)])
def test_pixels_and_our_likelihood_are_the_score(exported, precision, share):
    crops = golden_crops()[:24]
    expected = open_onnxruntime(score_graph("rp"), threads=1).score(crops)
    session = ort.InferenceSession(forms(exported / "rp-pixels.onnx")[precision])
    mu, log_var = session.run(["mu", "log_var"], {"crops": crops})
    assert mu.dtype == (np.float16 if precision == "fp16" else np.float32)
    got = kernels.rp_likelihood(crops.reshape(len(crops), -1), mu, log_var)
    assert np.abs(got - expected).max() < share * expected.std()


def test_on_a_cpu_it_is_refused_with_the_reason(exported):
    with pytest.raises(InputError, match="gives mu, log_var, not one score") as caught:
        open_engine(exported / "rp-pixels.onnx", "onnxruntime")
    assert "--engine tensorrt" in caught.value.hint


def test_a_score_without_pixels_has_no_such_form(tmp_path):
    with pytest.raises(InputError, match="quality is no likelihood of pixels"):
        command.main(["quality", "-o", str(tmp_path), "--pixels"])
