"""What goes wrong between us and a GPU: one sentence with the fact, one with the fix."""

from __future__ import annotations


class DeviceError(Exception):
    """A call to the GPU failed, or its kernels could not be built."""

    def __init__(self, fact: str, hint: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint


class NoDeviceError(DeviceError):
    """There is no GPU here, or no driver for it."""


class NoCompilerError(DeviceError):
    """There is no `nvcc` here, and no kernel that was compiled before."""


class NoCacheError(DeviceError):
    """There is no folder to keep compiled kernels in."""
