"""Scoring on TensorRT from the frame: crops are cut on the GPU where that is less work."""

from __future__ import annotations

import numpy as np

from sealshot.kernels.device import DeviceFrame
from sealshot.kernels.memory import DeviceArray
from sealshot.runtime.crops import square
from sealshot.runtime.engines.chain import open_chain
from sealshot.runtime.engines.scorer import GraphScorer
from sealshot.runtime.engines.tensorrt import TensorRtRunner, device_errors
from sealshot.runtime.planes import bgr_of
from sealshot.runtime.types import Floats, Pixels, Ratings, Tracks

WORTH_A_FRAME = 1 / 8
"""Share of a frame that its faces must cover to be cut on the GPU. A frame that was decoded on the
CPU has to be copied there whole, while the CPU cuts crops from the pixels of the faces alone: per
pixel it takes about 3.3 ns for that (AMD EPYC with AVX2), and some 0.2 to 0.5 ns to copy one."""


class DeviceScorer(GraphScorer):
    """A score graph as a TensorRT plan, with the fused crop kernel before it."""

    def __init__(self, runner: TensorRtRunner) -> None:
        """Take a plan that is open, and warm it up.

        Raises:
            InputError: it is no score graph.
            SealshotError: the GPU failed.
        """
        super().__init__(runner, runner.manifest)
        self._device = runner.device
        with device_errors():
            self._chain = open_chain(runner, 0, record=runner.recorded)
        self._frame: DeviceArray | None = None

    def rate_frame(
        self, image: Pixels, tracks: Tracks, components: Floats | None = None
    ) -> Ratings:
        """See :meth:`Scorer.rate_frame`; a crop may differ from the CPU's by one grey level."""
        boxes = np.array([t.face.box for t in tracks.seen], np.float32).reshape(-1, 4)
        covered = sum(side * side for _, _, side in map(square, boxes))
        if covered < WORTH_A_FRAME * image.shape[0] * image.shape[1]:
            return super().rate_frame(image, tracks, components)
        with device_errors():
            self._device.use()  # the frame may come from another thread than the one that opened it
            if self._frame is None or self._frame.shape != image.shape:
                self._chain.close()  # what was recorded reads the frame that is given up
                self._frame = DeviceArray.empty(image.shape, np.uint8)
            self._frame.set(np.ascontiguousarray(bgr_of(image)))
            scores = self._chain.score(DeviceFrame.of(self._frame), boxes)
            return Ratings.of(scores, components)
