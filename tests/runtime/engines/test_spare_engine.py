"""An engine that fails, and the one that goes on with the same scores."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from engine_stand_ins import MANIFEST

from sealshot.runtime.engines import Scorer, open_engine
from sealshot.runtime.engines.spare import Spare
from sealshot.runtime.engines.weight_stream import same_graph
from sealshot.runtime.errors import InputError, SealshotError

CROPS = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 64, 64), np.uint8)


class Sums(Scorer):
    """Scores by the first pixel, and fails from some call on."""

    def __init__(self, description: str, calls: int = 99) -> None:
        self.manifest, self.description, self.left, self.asked = MANIFEST, description, calls, 0

    def score(self, crops: np.ndarray) -> np.ndarray:
        self.asked += 1
        if self.left == 0:
            raise SealshotError("the board at /dev/board is gone: pulled out", hint="")
        self.left -= 1
        return crops[:, 0, 0, 0].astype(np.float32)


def test_the_spare_engine_goes_on_where_the_first_fails_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, spare = Sums("FPGA", calls=2), Sums("ONNX Runtime")
    engine = Spare(first, spare)
    assert engine.description == "FPGA; if it fails, ONNX Runtime"
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            np.testing.assert_array_equal(engine.score(CROPS), CROPS[:, 0, 0, 0])
    assert (first.asked, spare.asked) == (3, 3)
    assert engine.description == "ONNX Runtime"
    assert [r.getMessage() for r in caplog.records] == [
        "the board at /dev/board is gone: pulled out; ONNX Runtime goes on, with the same scores"
    ]


def test_the_spare_engine_has_the_graph_of_the_same_integers(tmp_path: Path) -> None:
    stream = tmp_path / "quality.w8a9-stream.fpga"
    with pytest.raises(InputError, match=r"quality\.w8a9\.onnx is not there"):
        same_graph(stream)
    (tmp_path / "quality.w8a9.onnx").touch()
    assert same_graph(stream) == tmp_path / "quality.w8a9.onnx"


@pytest.mark.parametrize("device", [",cpu", "/dev/ttyUSB0,gpu", "sim,", "spi:", "spi:,cpu"])
def test_a_device_that_is_none_is_told(tmp_path: Path, device: str) -> None:
    stream = tmp_path / "quality.w8a9-stream.fpga"
    stream.touch()
    with pytest.raises(InputError, match="names no FPGA"):
        open_engine(stream, f"fpga:{device}")
