"""Refusing a device that would not decode, before anything is opened."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.errors import InputError


def check_hwaccel(device: str, spec: str, *, sandbox: bool) -> None:
    """Open what is to decode, and close it.

    Args:
        device: as ``cuda``, or ``cuda:1``.
        spec: the source.
        sandbox: whether it is read in a process of its own.

    Raises:
        InputError: it does not open here, cannot be had in the sandbox, or FFmpeg does not read
            the source.
    """
    if not _is_for_ffmpeg(spec):
        raise InputError(
            "--hwaccel is for files and addresses, which FFmpeg reads, and the source is neither",
            hint="leave it out; a GStreamer pipeline, as of --board, names a decoder of its own",
        )
    if sandbox:
        raise InputError(
            "a device that decodes is out of reach of the sandbox: its driver writes to devices",
            hint="--no-sandbox (in cameras.toml, sandbox = false) reads in the process that holds "
            "the keys; or leave --hwaccel out",
        )
    from sealshot.runtime.sandbox.device import NoDeviceError, check_device  # it loads FFmpeg

    try:
        check_device(device)
    except NoDeviceError as error:
        raise InputError(error.why, hint=error.hint) from None


def _is_for_ffmpeg(spec: str) -> bool:
    path = Path(spec)
    return "://" in spec or not (
        spec.isdecimal() or " ! " in spec or path.is_char_device() or path.is_dir()
    )
