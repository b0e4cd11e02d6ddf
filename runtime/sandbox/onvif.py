"""What a device is asked by ONVIF, and its answers: XML of whoever it may be."""

from __future__ import annotations

import importlib
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from http import HTTPStatus
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from sealshot.runtime.sandbox.errors import NoStreamError
from sealshot.runtime.sandbox.messages import Parts, Request

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


def profiles(request: Request) -> Iterator[Parts]:
    """Yield which streams a device offers, a list in JSON of what each :class:`Profile` has.

    Raises:
        NoStreamError: the device does not answer, or not as ONVIF has it.
    """

    async def all_of(_: Any, found: list[Profile]) -> list[Profile]:
        return found

    found = _asked(urlsplit(request.target), all_of)
    yield (json.dumps([asdict(profile) for profile in found]).encode(),)


def stream_address(request: Request) -> Iterator[Parts]:
    """Yield the address of a stream, as a device says it: ``uri`` and ``profile`` in JSON.

    Raises:
        NoStreamError: the device does not answer, or not with a stream.
    """
    device = urlsplit(request.target)
    wanted = unquote(device.path.strip("/"))

    async def asked_for(media: Any, found: list[Profile]) -> dict[str, str]:
        profile = _chosen(found, wanted)
        setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
        answer = await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": profile.token})
        return {"uri": str(answer.Uri), "profile": profile.description}

    yield (json.dumps(_asked(device, asked_for)).encode(),)


def best(profiles: list[Profile]) -> Profile:
    """Return the profile with the most pixels that is not too large, else the smallest."""
    fit = [profile for profile in profiles if profile.width * profile.height <= ENOUGH_PX]
    if fit:
        return max(fit, key=lambda profile: profile.width * profile.height)
    return min(profiles, key=lambda profile: profile.width * profile.height)


def _chosen(profiles: list[Profile], wanted: str) -> Profile:
    if not profiles:
        raise NoStreamError("the device offers no stream of video", lasting=True)
    if not wanted:
        return best(profiles)
    for profile in profiles:
        if wanted in (profile.token, profile.name):
            return profile
    raise NoStreamError(
        f"the device has no profile '{wanted}'",
        "it has " + ", ".join(profile.token for profile in profiles),
        lasting=True,
    )


def _asked(device: SplitResult, want: Want[T]) -> T:
    import asyncio  # no other camera needs it

    onvif = _package()
    faults = importlib.import_module("zeep.exceptions")
    clients = importlib.import_module("aiohttp")
    try:
        return asyncio.run(asyncio.wait_for(_talk(onvif, device, want), TIMEOUT_S))
    except (TimeoutError, asyncio.TimeoutError):
        raise NoStreamError(f"the device did not answer in {TIMEOUT_S:.0f} s") from None
    except (faults.Error, onvif.ONVIFError) as error:
        raise _refusal(error) from None
    except clients.ClientError as error:
        code = getattr(error, "errno", None) or 0
        why = os.strerror(code).lower() if code > 0 else "it hung up"
        hint = "" if code else "where it speaks HTTPS alone, give the address of the stream itself"
        raise NoStreamError("there is no such host" if code < 0 else why, hint) from None
    except (AttributeError, KeyError, TypeError, ValueError):  # what an answer lacks
        raise NoStreamError(
            "its answer is not as ONVIF has it", "give the address of the stream itself"
        ) from None


def _refusal(error: Exception) -> NoStreamError:
    words = f"{error} {getattr(error, 'subcodes', '')}".lower()
    status = getattr(error, "status_code", 0)
    if status == HTTPStatus.UNAUTHORIZED or any(said in words for said in REFUSED):
        return NoStreamError("user or password is refused", REFUSED_HINT, lasting=True)
    if not getattr(error, "code", None):  # a device gives its faults one
        return NoStreamError(
            "it does not speak ONVIF there",
            "check the port; on many cameras ONVIF is off until it is switched on",
            lasting=status < HTTPStatus.INTERNAL_SERVER_ERROR,  # it may be starting
        )
    return NoStreamError("the device answers with a fault: " + " ".join(str(error).split())[:200])


async def _talk(onvif: ModuleType, device: SplitResult, want: Want[T]) -> T:
    user, password = (unquote(part) for part in (device.username or "", device.password or ""))
    proxies = {name: os.environ[name] for name in os.environ if name.lower().endswith("_proxy")}
    camera = onvif.ONVIFCamera(
        device.hostname, device.port or PORT, user, password, adjust_time=True, no_cache=True
    )
    os.environ.update(proxies)  # it takes them away from the whole process
    try:
        await camera.update_xaddrs()
        if MEDIA not in camera.xaddrs:
            raise NoStreamError(
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
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
