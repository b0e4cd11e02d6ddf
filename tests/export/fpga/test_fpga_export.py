from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sealshot.export.fpga.files import export_fpga
from sealshot.export.fpga.proofs import prove
from sealshot.export.golden import draw_faces
from sealshot.kernels.rtl.reference import IntegerNet
from sealshot.runtime.engines import open_onnxruntime
from sealshot.runtime.engines.fpga import read_stream
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import score_graph


def test_the_files_hold_the_score(tmp_path: Path) -> None:
    faces = draw_faces(240)
    files = export_fpga(score_graph("quality"), faces, "drawn", tmp_path)
    assert files.spearman > 0.98  # drawn faces: few, and far from what was trained on
    assert max(bound.sum_bits for bound in files.bounds) < 24
    assert load_manifest(files.graph).precision == load_manifest(files.stream).precision == "w8a9"
    stream = read_stream(files.stream)
    assert stream.weights.shape == (2760, 128)
    assert stream.parameters.shape == (149, 22)
    found = open_onnxruntime(files.graph).score(faces[:4]).astype(np.float64) / stream.scale
    np.testing.assert_allclose(found, np.rint(found), atol=0.5)  # whole sums times the scale


def test_a_score_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not of the shape that the hardware runs"):
        export_fpga(score_graph("rp"), draw_faces(64), "drawn", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_sum_that_may_leave_24_bits_is_refused() -> None:
    from sealshot.kernels.rtl.reference import IntegerLayer
    from sealshot.kernels.rtl.shape import LAYERS

    shape = LAYERS[6]
    weights = np.full((96, 96, 3, 3), 40, np.int8)
    layer = IntegerLayer(
        shape, weights, np.zeros(96, np.int32), np.ones(96, np.uint16), np.zeros(96, np.uint8)
    )
    with pytest.raises(InputError, match="more than 24 bits hold"):
        prove(IntegerNet((layer, layer), 1.0))
    fine = replace(layer, weights=weights // 2)
    assert len(prove(IntegerNet((fine, fine), 1.0))) == 2
