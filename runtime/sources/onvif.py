"""Cameras by ONVIF: a device says by which address each of its profiles streams.

A device counts the age of a password's digest by its own clock, which nobody may have set, and
names the address that it believes to have, which behind a router is not where it is reached. So its
clock is asked for first, and it is always spoken to at the host that was given.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.reader import NoVideoError

logger = logging.getLogger(__name__)

SCHEME = "onvif://"
PORT = 80
TIMEOUT_S = 15.0
"""For all that a device is asked: a slow one takes a second for each answer."""
ENOUGH_PX = 1920 * 1080
"""More than that costs more to decode than it gives of faces."""
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
REFUSED = ("notauthorized", "not authorized", "unauthorized", "failedauthentication")
REFUSED_HINT = (
    "check both; where it takes HTTP's digest alone, give the address of the stream itself"
)
STREAMS = ("rtsp", "rtsps")

T = TypeVar("T")


@dataclass(frozen=True)
class Profile:
    """One of the streams that a device offers."""

    token: str
    """What the device calls it."""
    name: str
    """What people call it."""
    codec: str
    """Such as ``H264``; empty where the device does not say."""
    width: int
    height: int
    """In pixels; 0 where the device does not say."""

    @property
    def description(self) -> str:
        """What it is, for people."""
        return f"{self.name} ({self.width}x{self.height} {self.codec})"


Want = Callable[[Any, list[Profile]], Awaitable[T]]
"""Asks the media service of a device for what is wanted, given its profiles."""


def is_onvif(spec: str) -> bool:
    """Whether an address is that of a device, and not of a stream."""
    return spec.lower().startswith(SCHEME)


def stream_address(spec: str) -> str:
    """Ask a device for the address of a stream.

    Args:
        spec: ``onvif://[USER:PASSWORD@]HOST[:PORT][/PROFILE]``; PROFILE is a token or a name.

    Returns:
        An rtsp:// address, with user and password.

    Raises:
        InputError: ``spec`` is no such address, or the extra ``onvif`` is not installed.
        NoVideoError: the device does not answer, or not with a stream.
    """
    device = _device(spec)
    wanted = unquote(device.path.strip("/"))

    async def uri_of(media: Any, profiles: list[Profile]) -> str:
        profile = _chosen(profiles, wanted)
        logger.info("takes the profile %s", profile.description)
        setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
        answer = await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": profile.token})
        return str(answer.Uri)

    return _reached(_asked(device, uri_of), device)


def profiles_of(spec: str) -> list[Profile]:
    """Ask a device which streams it offers.

    Raises:
        InputError, NoVideoError: as :func:`stream_address`.
    """

    async def all_of(_: Any, profiles: list[Profile]) -> list[Profile]:
        return profiles

    return _asked(_device(spec), all_of)


def best(profiles: list[Profile]) -> Profile:
    """Return the profile with the most pixels that is not too large, else the smallest."""
    fit = [profile for profile in profiles if profile.width * profile.height <= ENOUGH_PX]
    if fit:
        return max(fit, key=lambda profile: profile.width * profile.height)
    return min(profiles, key=lambda profile: profile.width * profile.height)


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


def _chosen(profiles: list[Profile], wanted: str) -> Profile:
    if not profiles:
        raise NoVideoError("the device offers no stream of video", lasting=True)
    if not wanted:
        return best(profiles)
    for profile in profiles:
        if wanted in (profile.token, profile.name):
            return profile
    raise NoVideoError(
        f"the device has no profile '{wanted}'",
        "it has " + ", ".join(profile.token for profile in profiles),
        lasting=True,
    )


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


def _asked(device: SplitResult, want: Want[T]) -> T:
    onvif = _package()
    faults = importlib.import_module("zeep.exceptions")
    clients = importlib.import_module("aiohttp")
    try:
        return asyncio.run(asyncio.wait_for(_talk(onvif, device, want), TIMEOUT_S))
    except (TimeoutError, asyncio.TimeoutError):
        raise NoVideoError(f"the device did not answer in {TIMEOUT_S:.0f} s") from None
    except (faults.Error, onvif.ONVIFError) as error:
        raise _refusal(error) from None
    except clients.ClientError as error:
        code = getattr(error, "errno", None) or 0
        why = os.strerror(code).lower() if code > 0 else "it hung up"
        hint = "" if code else "where it speaks HTTPS alone, give the address of the stream itself"
        raise NoVideoError("there is no such host" if code < 0 else why, hint) from None
    except (AttributeError, KeyError, TypeError, ValueError):  # what an answer lacks
        raise NoVideoError(
            "its answer is not as ONVIF has it", "give the address of the stream itself"
        ) from None


def _refusal(error: Exception) -> NoVideoError:
    words = f"{error} {getattr(error, 'subcodes', '')}".lower()
    status = getattr(error, "status_code", 0)
    if status == HTTPStatus.UNAUTHORIZED or any(said in words for said in REFUSED):
        return NoVideoError("user or password is refused", REFUSED_HINT, lasting=True)
    if not getattr(error, "code", None):  # a device gives its faults one
        return NoVideoError(
            "it does not speak ONVIF there",
            "check the port; on many cameras ONVIF is off until it is switched on",
            lasting=status < HTTPStatus.INTERNAL_SERVER_ERROR,  # it may be starting
        )
    return NoVideoError("the device answers with a fault: " + " ".join(str(error).split())[:200])


async def _talk(onvif: ModuleType, device: SplitResult, want: Want[T]) -> T:
    user, password = (unquote(part) for part in _login(device))
    proxies = {name: os.environ[name] for name in os.environ if name.lower().endswith("_proxy")}
    camera = onvif.ONVIFCamera(
        device.hostname, device.port or PORT, user, password, adjust_time=True, no_cache=True
    )
    os.environ.update(proxies)  # it takes them away from the whole process
    try:
        await camera.update_xaddrs()
        if MEDIA not in camera.xaddrs:
            raise NoVideoError(
                "the device has no media service of ONVIF's version 1",
                "give the address of the stream itself",
                lasting=True,
            )
        named = urlsplit(camera.xaddrs[MEDIA])
        if named.hostname != device.hostname:
            host = device.netloc.rpartition("@")[2]
            camera.xaddrs[MEDIA] = urlunsplit(named._replace(scheme="http", netloc=host))
        media = await camera.create_media_service()
        found = [_profile(each) for each in await media.GetProfiles() or ()]
        return await want(media, [profile for profile in found if profile is not None])
    finally:
        await camera.close()


def _profile(told: Any) -> Profile | None:
    """Return a profile; None of one without video."""
    video = told.VideoEncoderConfiguration
    if video is None:
        return None
    size = video.Resolution
    width, height = (int(size.Width), int(size.Height)) if size else (0, 0)
    return Profile(str(told.token), str(told.Name), str(video.Encoding or ""), width, height)


def _package() -> ModuleType:
    """Return the package; what it does to the log of the whole process is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return importlib.import_module("onvif")
    except ModuleNotFoundError as error:
        raise InputError(
            "onvif:// needs onvif-zeep-async, which is not installed",
            hint="pip install 'sealshot[onvif]'",
        ) from error
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
