"""The kernels on arrays in device memory: each method queues one launch on a stream.

Nothing here allocates, copies or waits, so all of it can be captured into a graph. Arrays are
:class:`~sealshot.kernels.memory.DeviceArray`, or whatever has ``__cuda_array_interface__``;
`reference.py` says what each kernel computes.
"""

from __future__ import annotations

from ctypes import c_int, c_longlong, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealshot.kernels.compiler import NAMES, cubin
from sealshot.kernels.driver import Device, Kernel, Module, open_device
from sealshot.kernels.memory import DeviceArray
from sealshot.kernels.reference import CROP_PX, FORMATS

THREADS = 256
"""In a block, as in `cuda/common.cuh`."""
TYPES = {"uint8": "u8", "float16": "f16", "float32": "f32"}
CROP_BLOCKS = CROP_PX * CROP_PX // THREADS
BLOCKS_PER_SM = 4
"""Blocks of the likelihood that an SM holds at once: fewer leave memory bandwidth unused."""


@dataclass(frozen=True)
class DeviceFrame:
    """A picture in device memory."""

    ptr: int
    """Of the first pixel; for NV12 of the luma plane (its chroma plane does not matter to grey)."""
    height: int
    width: int
    pitch: int
    """Bytes from one row to the next."""
    format: str = "bgr"
    """One of :data:`~sealshot.kernels.reference.FORMATS`."""

    @classmethod
    def of(cls, array: Any, format: str = "bgr") -> DeviceFrame:
        """Look at a contiguous ``uint8`` array, shaped as the reference takes it."""
        array = DeviceArray.wrap(array)
        _expect(array, "frame", "uint8", 3 if format == "bgr" else 2)
        if format == "bgr":
            height, width, channels = array.shape
            if channels != 3:
                raise ValueError(f"a BGR frame has 3 channels, not {channels}")
            return cls(array.ptr, height, width, 3 * width, format)
        return cls(array.ptr, array.shape[0] * 2 // 3, array.shape[1], array.shape[1], format)


class DeviceKernels:
    """All kernels, compiled and loaded for one device."""

    def __init__(self, device: Device | None = None, cache: Path | None = None) -> None:
        """Compile what the cache does not hold, and load it.

        Args:
            device: opened by :func:`~sealshot.kernels.driver.open_device`; by default the first.
            cache: folder of compiled kernels; by default in ``$XDG_CACHE_HOME``.

        Raises:
            NoDeviceError, NoCompilerError, DeviceError: see there.
        """
        self.device = device or open_device()
        self._modules = {name: Module(cubin(name, self.device.sm, cache)) for name in NAMES}
        self._kernels: dict[str, Kernel] = {}

    def kernel(self, module: str, variant: str = "") -> Kernel:
        """Return one compiled kernel, such as ``rp_likelihood``, ``_u8_f16``."""
        name = module + variant
        if name not in self._kernels:
            self._kernels[name] = self._modules[module].kernel(name)
        return self._kernels[name]

    def rp_workspace(self, n: int, samples: int) -> DeviceArray:
        """Allocate what :meth:`rp_likelihood` needs to split few items over their samples."""
        return DeviceArray.zeros((n * (samples + 1),), np.uint32)

    def rp_likelihood(
        self,
        x: Any,
        mu: Any,
        log_var: Any,
        out: Any,
        *,
        workspace: DeviceArray | None = None,
        split: int | None = None,
        stream: object = None,
    ) -> None:
        """Queue log RP.

        Args:
            x: ``[n, p]``, uint8 from 0 to 255, or float16 or float32 from 0 to 1.
            mu: ``[n, l, p]``, float16 or float32.
            log_var: as ``mu``.
            out: ``float32 [n]``.
            workspace: from :meth:`rp_workspace` for at least as many items and as many samples,
                for one stream at a time; without it each item is one block's work.
            split: blocks an item, 1 to l; by default as many as fill the device.
            stream: where to queue it.
        """
        x, mu, log_var, out = (DeviceArray.wrap(a) for a in (x, mu, log_var, out))
        _expect(x, "x", tuple(TYPES), 2)
        _expect(mu, "mu", ("float16", "float32"), 3)
        _expect(log_var, "log_var", mu.dtype.name, 3)
        _expect(out, "out", "float32", 1)
        n, samples, pixels = mu.shape
        if log_var.shape != mu.shape or x.shape != (n, pixels) or out.shape != (n,):
            raise ValueError(
                f"shapes do not fit: x {x.shape}, mu {mu.shape}, log_var {log_var.shape}, "
                f"out {out.shape}"
            )
        if samples < 1 or pixels > 2**30 or n * samples >= 2**31:
            raise ValueError(
                f"there must be a latent sample at least, and fewer elements than {mu.shape}"
            )
        if n == 0:
            return
        if workspace is None:
            split = 1
        elif workspace.nbytes < 4 * n * (samples + 1):
            raise ValueError(f"the workspace is too small for {n} items of {samples} samples")
        elif split is None:
            split = -(-BLOCKS_PER_SM * self.device.multiprocessors // n)
        split = max(1, min(split or 1, samples))
        kernel = self.kernel("rp_likelihood", f"_{TYPES[x.dtype.name]}_{TYPES[mu.dtype.name]}")
        args = (
            *(c_void_p(a.ptr) for a in (x, mu, log_var, out)),
            c_void_p(workspace.ptr if workspace else 0),
            c_int(samples),
            c_int(pixels),
            c_int(split),
        )
        kernel.launch(n * split, THREADS, args, stream)

    def sample_latents(
        self, mu: Any, log_var: Any, noise: Any, out: Any, *, stream: object = None
    ) -> None:
        """Queue z = mu + exp(log_var / 2) * noise.

        Args:
            mu: ``[n, d]``, float16 or float32.
            log_var: as ``mu``.
            noise: ``float32 [l, d]``.
            out: ``[n, l, d]``, or ``[n * l, d]``, of ``mu``'s dtype.
            stream: where to queue it.
        """
        mu, log_var, noise, out = (DeviceArray.wrap(a) for a in (mu, log_var, noise, out))
        _expect(mu, "mu", ("float16", "float32"), 2)
        _expect(log_var, "log_var", mu.dtype.name, 2)
        _expect(noise, "noise", "float32", 2)
        _expect(out, "out", mu.dtype.name, out.shape and len(out.shape))
        (n, d), samples = mu.shape, noise.shape[0]
        shapes = ((n, samples, d), (n * samples, d))
        if log_var.shape != mu.shape or noise.shape[1] != d or out.shape not in shapes:
            raise ValueError(
                f"shapes do not fit: mu {mu.shape}, log_var {log_var.shape}, "
                f"noise {noise.shape}, out {out.shape}"
            )
        kernel = self.kernel("sample_latents", f"_{TYPES[mu.dtype.name]}")
        pointers = (c_void_p(a.ptr) for a in (mu, log_var, noise, out))
        blocks = min(-(-out.size // THREADS), 32 * self.device.multiprocessors)
        kernel.launch(blocks, THREADS, (*pointers, c_int(n), c_int(samples), c_int(d)), stream)

    def crop_resize_grey(
        self, frame: DeviceFrame, boxes: Any, out: Any, *, stream: object = None
    ) -> None:
        """Queue the crops of a frame.

        Args:
            frame: the picture.
            boxes: ``float32 [n, 4]``.
            out: ``uint8 [n, 1, 64, 64]``, or any other shape of as many elements.
            stream: where to queue it.
        """
        boxes, out = DeviceArray.wrap(boxes), DeviceArray.wrap(out)
        _expect(boxes, "boxes", "float32", 2)
        if out.dtype != np.uint8 or out.size != len_of(boxes) * CROP_PX**2 or boxes.shape[1] != 4:
            raise ValueError(f"shapes do not fit: boxes {boxes.shape}, out {out.shape}")
        if frame.format not in FORMATS:
            raise ValueError(f"'{frame.format}' is none of {', '.join(FORMATS)}")
        row = frame.width * (3 if frame.format == "bgr" else 1)
        if not (0 < frame.width <= 65536 and 0 < frame.height <= 65536 and frame.pitch >= row):
            raise ValueError(f"the frame {frame} is empty, too large, or its pitch too small")
        args = (
            c_void_p(frame.ptr),
            c_int(frame.height),
            c_int(frame.width),
            c_longlong(frame.pitch),
            c_void_p(boxes.ptr),
            c_void_p(out.ptr),
        )
        kernel = self.kernel("crop_resize_grey", "_" + frame.format.replace("-", "_"))
        kernel.launch(CROP_BLOCKS * len_of(boxes), THREADS, args, stream)

    def track_argmax(
        self,
        scores: Any,
        slots: Any,
        frames: Any,
        best_scores: Any,
        best_frames: Any,
        won: Any,
        *,
        stream: object = None,
    ) -> None:
        """Queue the update of each track's best so far.

        Args:
            scores: ``float32 [n]``.
            slots: ``int32 [n]``, the track of each face as an index into the table.
            frames: ``int64 [n]``, the frame of each face.
            best_scores: ``float32 [t]``, the table, -inf at first; altered.
            best_frames: ``int64 [t]``; altered.
            won: ``uint8 [n]``.
            stream: where to queue it.
        """
        arrays = tuple(
            DeviceArray.wrap(a) for a in (scores, slots, frames, best_scores, best_frames, won)
        )
        names = ("scores", "slots", "frames", "best_scores", "best_frames", "won")
        dtypes = ("float32", "int32", "int64", "float32", "int64", "uint8")
        for array, name, dtype in zip(arrays, names, dtypes, strict=True):
            _expect(array, name, dtype, 1)
        n, table = len_of(arrays[0]), len_of(arrays[3])
        if [len_of(a) for a in arrays] != [n, n, n, table, table, n]:
            raise ValueError(f"shapes do not fit: {[a.shape for a in arrays]}")
        args = (*(c_void_p(a.ptr) for a in arrays), c_int(n), c_int(table))
        self.kernel("track_argmax").launch(-(-n // THREADS), THREADS, args, stream)


def len_of(array: DeviceArray) -> int:
    """Return the first dimension."""
    return array.shape[0]


def _expect(array: DeviceArray, name: str, dtypes: str | tuple[str, ...], dims: int) -> None:
    """Raise ValueError unless an array has one of the dtypes, the dimensions, and is aligned."""
    allowed = (dtypes,) if isinstance(dtypes, str) else dtypes
    if array.dtype.name not in allowed or len(array.shape) != dims:
        raise ValueError(
            f"{name} is {array.dtype} {array.shape}, not {' or '.join(allowed)} [{dims} dimensions]"
        )
    if array.ptr % array.dtype.itemsize:
        raise ValueError(f"{name} does not lie on a multiple of its item size")
