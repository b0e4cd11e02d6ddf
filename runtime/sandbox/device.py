"""Decoding by a device, such as a graphics card, through its driver.

It has no place in a process that gave its rights up: drivers open devices for writing, talk to the
kernel by calls of their own, and take far more addresses than a decoder does.
"""

from __future__ import annotations

from av import logging
from av.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.error import FFmpegError

CODECS = ("h264", "hevc", "mjpeg", "vp9", "mpeg2video")
"""Those of cameras and recordings, by the decoders that PyAV opens a file with."""


class NoDeviceError(Exception):
    """A device that decodes nothing here."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why, self.hint = why, hint


def accelerator(device: str) -> HWAccel:
    """Return what PyAV is told of a device.

    Args:
        device: a kind, as ``cuda``, and which one of it, as ``cuda:1`` or
            ``vaapi:/dev/dri/renderD128``.

    Raises:
        ValueError: no device can have that name.
    """
    kind, _, which = device.partition(":")
    return HWAccel(kind, which or None, allow_software_fallback=True)


def check_device(device: str) -> None:
    """Open a device, and close it.

    Raises:
        NoDeviceError: it does not open, or this FFmpeg decodes nothing by it.
    """
    kind = device.partition(":")[0]
    kinds = _kinds()
    if kind not in kinds:  # PyAV takes a name that it does not know for any device
        raise NoDeviceError(
            f"FFmpeg as PyAV brings it decodes nothing by {kind!r}",
            f"it decodes by {', '.join(kinds)}" if kinds else "leave --hwaccel out",
        )
    level = logging.get_level()
    logging.set_level(logging.ERROR)
    try:
        with logging.Capture() as said:
            accelerator(device).create(Codec(kinds[kind], "r"))
    except (FFmpegError, OSError, ValueError) as error:
        # the number of an error has nothing to do with it: EPERM where a library is missing
        why = said[0][2].strip() if said else getattr(error, "strerror", None) or "no such device"
        raise NoDeviceError(
            f"{device} cannot be opened: {why[:1].lower()}{why[1:]}",
            "check that its driver is installed and that this user may use it (nvidia-smi, "
            "vainfo), or leave --hwaccel out",
        ) from None
    finally:
        logging.set_level(level)


def surface(codec: Codec, device: str) -> str:
    """Return the format that a decoder's pictures have on a device; empty where it has none."""
    return _surfaces(codec).get(device.partition(":")[0], "")


def _kinds() -> dict[str, str]:
    """Return the kinds of devices that decode, and a codec of each.

    FFmpeg names others too. Their decoders PyAV does not take by itself: it decodes in software
    then, and says nothing.
    """
    known = set(hwdevices_available())
    return {
        kind: name
        for name in reversed(CODECS)
        for kind in _surfaces(Codec(name, "r"))
        if kind in known
    }


def _surfaces(codec: Codec) -> dict[str, str]:
    return {
        config.device_type.name: config.format.name
        for config in codec.hardware_configs
        if config.is_supported and config.format
    }
