"""From a frame in device memory to each track's best, in one launch.

Crop, encoder, sampling, decoder, likelihood and argmax run on one stream. For each batch size and
frame they are recorded once as a CUDA graph: few faces at a time are bound by launches, and then
one launch is all there is. Boxes and track slots go in and scores come out in the same graph;
nothing else is copied between host and device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels.device import DeviceFrame, DeviceKernels
from sealshot.kernels.driver import Stream
from sealshot.kernels.memory import DeviceArray, PinnedArray
from sealshot.runtime.crops import CROP_PX
from sealshot.runtime.engines.tensorrt import DevicePlan, Recordings, TensorRtRunner
from sealshot.runtime.files import cache_folder
from sealshot.runtime.types import Floats

NO_SLOT = -1


@dataclass(frozen=True, eq=False)
class Best:
    """The best face of each track slot so far."""

    scores: Floats
    """``float32 [t]``, -inf where there was none."""
    frames: NDArray[np.int64]
    """``int64 [t]``, index of the frame."""


def open_chain(runner: TensorRtRunner, tracks: int, *, record: bool = True) -> Chain:
    """Make a chain around a runner, which must not run at the same time.

    Args:
        runner: a score graph as a TensorRT plan.
        tracks: slots of the table of bests; 0 keeps none.
        record: see :class:`Chain`.

    Raises:
        DeviceError: the kernels cannot be compiled, or the GPU has no memory left.
    """
    runner.device.use()
    kernels = DeviceKernels(runner.device, cache_folder("kernels"))
    return Chain(runner.plan, kernels, tracks, record=record)


class Chain:
    """Scores the faces of frames that lie in device memory, and keeps each track's best there.

    Not to be called from two threads at once, nor while its plan is used elsewhere.
    """

    def __init__(
        self, plan: DevicePlan, kernels: DeviceKernels, tracks: int, *, record: bool = True
    ) -> None:
        """Allocate for the largest batch of the plan.

        Args:
            plan: of a score graph, with its device memory.
            kernels: ours, compiled for the device.
            tracks: slots of the table of bests; 0 keeps none.
            record: launch all as one CUDA graph; else each launch by itself, to compare.
        """
        self._plan, self._kernels = plan, kernels
        self._output = plan.outputs[0].name
        n = plan.batch.largest
        self._faces = _Faces(n)
        self._scores = PinnedArray((n,), np.float32)
        self._keeps_bests = tracks > 0
        tracks = max(1, tracks)
        self._best_scores = DeviceArray.of(np.full(tracks, -np.inf, np.float32))
        self._best_frames = DeviceArray.of(np.full(tracks, -1, np.int64))
        self._won = DeviceArray.empty((n,), np.uint8)
        self._recordings = Recordings(plan, record=record)

    def score(
        self,
        frame: DeviceFrame,
        boxes: Floats,
        slots: NDArray[np.int32] | None = None,
        index: int = 0,
    ) -> Floats:
        """Score the faces of a frame and update the bests of their tracks.

        Args:
            frame: the picture. Its memory is read before this returns.
            boxes: ``float32 [n, 4]``, pixels of the frame.
            slots: ``int32 [n]``, the row of each face's track in the table; None leaves it alone.
            index: of the frame.

        Returns:
            ``float32 [n]``.

        Raises:
            DeviceError: the GPU failed.
        """
        scores = np.empty(len(boxes), np.float32)
        if slots is None:
            slots = np.full(len(boxes), NO_SLOT, np.int32)
        most = self._plan.batch.largest
        for i in range(0, len(boxes), most):
            part = slice(i, i + most)
            count = len(boxes[part])
            size = self._plan.size(count)
            self._faces.fill(boxes[part], slots[part], index, size)
            self._recordings.launch((size, frame), size, partial(self._enqueue, size, frame))
            scores[part] = self._scores.host[:count]
        return scores

    def best(self) -> Best:
        """Copy the table of bests to the host."""
        return Best(self._best_scores.get(), self._best_frames.get())

    def forget(self, slot: int) -> None:
        """Empty the slot of a track that ended, for the next one."""
        self._best_scores.view((1,), slot).set(np.full(1, -np.inf, np.float32))
        self._best_frames.view((1,), slot).set(np.full(1, -1, np.int64))

    def close(self) -> None:
        """Give the graphs back."""
        self._recordings.close()

    def _enqueue(self, size: int, frame: DeviceFrame) -> None:
        plan, kernels, stream = self._plan, self._kernels, self._plan.stream
        frames, boxes, slots = self._faces.upload(size, stream)
        crops = plan.arrays["crops"].view((size, 1, CROP_PX, CROP_PX))
        kernels.crop_resize_grey(frame, boxes, crops, stream=stream)
        plan.enqueue(size)
        scores = plan.arrays[self._output].view((size,))
        if self._keeps_bests:
            won = self._won.view((size,))
            kernels.track_argmax(
                scores, slots, frames, self._best_scores, self._best_frames, won, stream=stream
            )
        scores.get(self._scores.host[:size], stream)


class _Faces:
    """Frame index, box and slot of each face: pinned on the host, and the same on the device."""

    def __init__(self, most: int) -> None:
        fields = (((most,), np.int64), ((most, 4), np.float32), ((most,), np.int32))
        self._host = tuple(PinnedArray(shape, dtype) for shape, dtype in fields)
        self._device = tuple(DeviceArray.empty(shape, dtype) for shape, dtype in fields)

    def fill(self, boxes: Floats, slots: NDArray[np.int32], index: int, size: int) -> None:
        """Take the faces of a frame, and fill up to ``size`` with faces that are none."""
        frames, places, rows = (array.host for array in self._host)
        frames[:size] = index
        places[: len(boxes)] = boxes
        places[len(boxes) : size] = np.nan  # gives a crop of zeros
        rows[: len(slots)] = slots
        rows[len(slots) : size] = NO_SLOT

    def upload(self, size: int, stream: Stream) -> tuple[DeviceArray, ...]:
        """Queue the copy of the first ``size``; return frame indices, boxes and slots."""
        views = tuple(a.view((size, *a.shape[1:])) for a in self._device)
        for view, array in zip(views, self._host, strict=True):
            view.set(array.host[:size], stream)
        return views
