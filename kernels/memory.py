"""Arrays in device memory, and in memory of the host that the device reaches."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from contextlib import suppress
from ctypes import byref, c_size_t, c_void_p
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sealshot.kernels.driver import Stream, call
from sealshot.kernels.errors import DeviceError


class DeviceArray:
    """A C-contiguous array in device memory.

    ``ptr`` is its address, for other libraries. Arrays made by :meth:`empty` and its like own their
    memory and free it when they are dropped or closed; views do not, and keep their owner alive.
    """

    def __init__(
        self, ptr: int, shape: Sequence[int], dtype: DTypeLike, owner: object = None
    ) -> None:
        """Look at memory that is someone else's."""
        self.ptr = ptr
        self.shape = tuple(int(n) for n in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._owner = owner
        self._mine = False

    @classmethod
    def empty(cls, shape: Sequence[int], dtype: DTypeLike) -> DeviceArray:
        """Allocate an array of undefined content."""
        array = cls(0, shape, dtype)
        if array.nbytes:
            ptr = c_void_p()
            call("cuMemAlloc_v2", byref(ptr), c_size_t(array.nbytes))
            array.ptr, array._mine = ptr.value or 0, True
        return array

    @classmethod
    def zeros(cls, shape: Sequence[int], dtype: DTypeLike) -> DeviceArray:
        """Allocate an array of zeros."""
        array = cls.empty(shape, dtype)
        if array.nbytes:
            call("cuMemsetD8_v2", c_void_p(array.ptr), 0, c_size_t(array.nbytes))
        return array

    @classmethod
    def of(cls, values: NDArray[Any]) -> DeviceArray:
        """Copy an array of the host to the device."""
        array = cls.empty(values.shape, values.dtype)
        array.set(values)
        return array

    @classmethod
    def wrap(cls, array: Any) -> DeviceArray:
        """Look at an array of another library (pycuda, PyTorch, CuPy) in place.

        Raises:
            TypeError: it is no array in device memory.
            ValueError: it is not C-contiguous.
        """
        if isinstance(array, cls):
            return array
        try:
            facts = array.__cuda_array_interface__
        except AttributeError:
            raise TypeError(f"{type(array).__name__} is no array in device memory") from None
        dtype, shape = np.dtype(facts["typestr"]), tuple(facts["shape"])
        strides = facts.get("strides")
        if strides is not None and 0 not in shape:
            want = dtype.itemsize
            for n, stride in zip(reversed(shape), reversed(strides), strict=True):
                if n > 1 and stride != want:
                    raise ValueError(f"the array {shape} with strides {strides} has gaps")
                want *= n
        return cls(facts["data"][0] or 0, shape, dtype, owner=array)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Number of bytes."""
        return self.size * self.dtype.itemsize

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.ptr, False),
            "strides": None,
            "version": 3,
        }

    def view(self, shape: Sequence[int], offset: int = 0) -> DeviceArray:
        """Look at part of the array, from element ``offset`` on, in another shape."""
        view = DeviceArray(self.ptr + offset * self.dtype.itemsize, shape, self.dtype, owner=self)
        if offset < 0 or offset + view.size > self.size:
            raise ValueError(f"{shape} from element {offset} is not within {self.shape}")
        return view

    def set(self, values: NDArray[Any], stream: Stream | None = None) -> None:
        """Copy from the host.

        Args:
            values: of the same shape and dtype. With a stream it must be C-contiguous, and stay
                unchanged until the copy is done.
            stream: where to queue the copy; without one it is done on return.
        """
        if values.shape != self.shape or values.dtype != self.dtype:
            raise ValueError(
                f"{values.dtype} {values.shape} does not fit {self.dtype} {self.shape}"
            )
        if stream and not values.flags.c_contiguous:
            raise ValueError("a queued copy needs a C-contiguous array")
        values = np.ascontiguousarray(values)
        args = (c_void_p(self.ptr), c_void_p(values.ctypes.data), c_size_t(self.nbytes))
        if self.nbytes and stream:
            call("cuMemcpyHtoDAsync_v2", *args, c_void_p(stream.handle))
        elif self.nbytes:
            call("cuMemcpyHtoD_v2", *args)

    def get(self, out: NDArray[Any] | None = None, stream: Stream | None = None) -> NDArray[Any]:
        """Copy to the host, into ``out`` if given; on a stream it is only queued."""
        if out is None:
            out = np.empty(self.shape, self.dtype)
        if out.shape != self.shape or out.dtype != self.dtype or not out.flags.c_contiguous:
            raise ValueError(f"{out.dtype} {out.shape} cannot take {self.dtype} {self.shape}")
        args = (c_void_p(out.ctypes.data), c_void_p(self.ptr), c_size_t(self.nbytes))
        if self.nbytes and stream:
            call("cuMemcpyDtoHAsync_v2", *args, c_void_p(stream.handle))
        elif self.nbytes:
            call("cuMemcpyDtoH_v2", *args)
        return out

    def copy_from(self, source: DeviceArray, stream: Stream) -> None:
        """Queue a copy of another array of as many bytes, on the device."""
        if source.nbytes != self.nbytes:
            raise ValueError(f"{source.nbytes} bytes do not fit {self.nbytes}")
        call(
            "cuMemcpyDtoDAsync_v2",
            c_void_p(self.ptr),
            c_void_p(source.ptr),
            c_size_t(self.nbytes),
            c_void_p(stream.handle),
        )

    def close(self) -> None:
        """Free the memory, if it is this array's own."""
        mine, self._mine = self._mine, False
        if mine:
            call("cuMemFree_v2", c_void_p(self.ptr))

    def __del__(self) -> None:
        if getattr(self, "_mine", False):  # the driver may be gone when the interpreter ends
            self._mine = False
            with suppress(DeviceError):
                call("cuMemFree_v2", c_void_p(self.ptr))


class PinnedArray:
    """An array of the host that the device reads and writes directly: ``.host`` is the array."""

    def __init__(self, shape: Sequence[int], dtype: DTypeLike) -> None:
        """Allocate it; :meth:`close` frees it, after which ``host`` must not be used."""
        kind: np.dtype[Any] = np.dtype(dtype)
        nbytes = max(1, math.prod(shape) * kind.itemsize)
        self._ptr = c_void_p()
        call("cuMemAllocHost_v2", byref(self._ptr), c_size_t(nbytes))
        memory = (ctypes.c_char * nbytes).from_address(self._ptr.value or 0)
        self.host: NDArray[Any] = np.ndarray(tuple(shape), kind, memoryview(memory))

    def close(self) -> None:
        """Free the memory."""
        ptr, self._ptr = self._ptr, c_void_p()
        if ptr.value:
            call("cuMemFreeHost", ptr)
