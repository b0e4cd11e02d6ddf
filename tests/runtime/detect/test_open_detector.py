"""Which detector a spec names, and what is said when it names none."""

import pytest

from sealshot.runtime.detect import open_detector
from sealshot.runtime.detect.mtcnn import EXACT, FAST, Mtcnn
from sealshot.runtime.detect.yunet import YuNet
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import FOLDER


@pytest.mark.parametrize(("spec", "settings"), [("mtcnn", FAST), ("mtcnn:exact", EXACT)])
def test_mtcnn_has_two_settings(spec, settings):
    detector = open_detector(spec, threads=1)
    assert isinstance(detector, Mtcnn)
    assert detector.settings is settings


@pytest.mark.parametrize(
    "spec", ["", "mtcnn:", "mtcnn:fast", "MTCNN", "yunet", "yunet:", "retinaface", ":", "mtcnn "]
)
def test_an_unknown_spec_names_those_that_exist(spec):
    with pytest.raises(InputError, match="there is no detector") as caught:
        open_detector(spec)
    assert "mtcnn" in caught.value.hint
    assert "yunet:FILE.onnx" in caught.value.hint


@pytest.mark.parametrize("min_face_px", [11, 1, 0, -5])
def test_mtcnn_cannot_look_for_faces_smaller_than_its_window(min_face_px):
    with pytest.raises(InputError, match="cannot look for faces") as caught:
        open_detector("mtcnn", min_face_px=min_face_px)
    assert "12 px" in caught.value.hint


def test_yunet_needs_a_file_that_exists(tmp_path):
    with pytest.raises(InputError, match="no model file") as caught:
        open_detector(f"yunet:{tmp_path / 'absent.onnx'}")
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07" * 50])
def test_yunet_refuses_a_file_that_is_no_model(tmp_path, content, capfd):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a YuNet model") as caught:
        open_detector(f"yunet:{path}")
    assert "\n" not in caught.value.fact
    assert caught.value.hint


def test_yunet_refuses_a_model_of_something_else():
    with pytest.raises(InputError, match="not a YuNet model"):
        open_detector(f"yunet:{FOLDER / 'mtcnn_rnet.onnx'}")


def test_yunet_opens_without_a_word(reference_models, capfd):
    detector = open_detector(f"yunet:{reference_models / 'yunet_n_dynamic.onnx'}")
    assert isinstance(detector, YuNet)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
