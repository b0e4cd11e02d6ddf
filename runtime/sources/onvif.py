"""Cameras by ONVIF: a device says by which address each of its profiles streams.

A device counts the age of a password's digest by its own clock, which nobody may have set, and
names the address that it believes to have, which behind a router is not where it is reached. So its
clock is asked for first, and it is always spoken to at the host that was given.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from sealshot.runtime.errors import InputError
from sealshot.runtime.sandbox.messages import Request
from sealshot.runtime.sandbox.onvif import Profile
from sealshot.runtime.sources.apart import data_of
from sealshot.runtime.sources.reader import NoVideoError
from sealshot.runtime.types import Image

logger = logging.getLogger(__name__)

SCHEME = "onvif://"
STREAMS = ("rtsp", "rtsps")

T = TypeVar("T")


def is_onvif(spec: str) -> bool:
    """Whether an address is that of a device, and not of a stream."""
    return spec.lower().startswith(SCHEME)


def stream_address(spec: str, *, sandbox: bool = True) -> str:
    """Ask a device for the address of a stream.

    Args:
        spec: ``onvif://[USER:PASSWORD@]HOST[:PORT][/PROFILE]``; PROFILE is a token or a name.
        sandbox: whether it is spoken to by a process of its own.

    Returns:
        An rtsp:// address, with user and password.

    Raises:
        InputError: ``spec`` is no such address, or the extra ``onvif`` is not installed.
        NoVideoError: the device does not answer, or not with a stream.
    """
    device = _device(spec)
    uri, profile = _asked("stream_address", spec, _address, sandbox)
    logger.info("takes the profile %s", profile)
    return _reached(uri, device)


def profiles_of(spec: str, *, sandbox: bool = True) -> list[Profile]:
    """Ask a device which streams it offers.

    Raises:
        InputError, NoVideoError: as :func:`stream_address`.
    """
    _device(spec)
    return _asked("profiles", spec, _profiles, sandbox)


def _asked(job: str, spec: str, understood: Callable[[Image], T], sandbox: bool) -> T:
    package = importlib.util.find_spec("onvif")
    if package is None or package.origin is None:
        raise InputError(
            "onvif:// needs onvif-zeep-async, which is not installed",
            hint="pip install 'sealshot[onvif]'",
        )
    # with those that it needs, and their files
    packages = str(Path(package.origin).parent.parent)
    request = Request(spec, job=job, network=True, readable=(packages,))
    for answer in data_of(request, understood, sandbox=sandbox):
        return answer
    raise NoVideoError("the process that asks it ended early", ours=True)


def _address(data: Image) -> tuple[str, str]:
    """Return address and profile of a stream; ValueError where these are none."""
    match _told(data):
        case {"uri": str(uri), "profile": str(profile)}:
            return uri, profile
    raise ValueError("no address")


def _profiles(data: Image) -> list[Profile]:
    """Return profiles; ValueError where these are none."""
    told = _told(data)
    if not isinstance(told, list):
        raise ValueError("no list")
    return list(map(_profile, told))


def _profile(told: object) -> Profile:
    match told:
        case {
            "token": str(token),
            "name": str(name),
            "codec": str(codec),
            "width": int(width),
            "height": int(height),
        }:
            return Profile(token, name, codec, width, height)
    raise ValueError("no profile")


def _told(data: Image) -> object:
    try:
        told: object = json.loads(data.tobytes())
    except RecursionError:
        raise ValueError("lists in lists") from None
    return told


def _device(spec: str) -> SplitResult:
    try:
        device = urlsplit(spec)
        found = bool(device.hostname) and device.port != 0
    except ValueError:
        found = False
    if not found:
        raise InputError(
            "this is no address of a device by ONVIF",
            hint="as onvif://10.0.0.7, or onvif://USER:PASSWORD@HOST:PORT/PROFILE, where an @ in a "
            "password is written as %40",
        )
    return device


def _reached(uri: str, device: SplitResult) -> str:
    """Return the address of a stream as it is reached from here, with user and password."""
    try:
        told = urlsplit(uri.strip())
        host, port = told.hostname, told.port
    except ValueError:
        host = None
    if host is None or told.scheme.lower() not in STREAMS:
        raise NoVideoError(
            "the device names no rtsp:// address for its stream",
            "give the address of the stream itself",
            lasting=True,
        )
    if host != device.hostname:
        logger.info("it names %s as its own address; its stream is asked for where it was", host)
    user = ""
    if device.username:
        user = ":".join(quote(unquote(part), safe="") for part in _login(device)) + "@"
    name = f"[{device.hostname}]" if ":" in str(device.hostname) else device.hostname
    place = f"{user}{name}{f':{port}' if port else ''}"
    return urlunsplit((told.scheme.lower(), place, told.path, told.query, ""))


def _login(device: SplitResult) -> tuple[str, str]:
    return device.username or "", device.password or ""
