"""What `sealshot serve` does: opens what a configuration names, and hears signals."""

from __future__ import annotations

import argparse
import logging
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TypeVar, overload

from sealshot.runtime.cli.arguments import duration, output_folder, size
from sealshot.runtime.cli.commands.camera import check_turning
from sealshot.runtime.cli.commands.sealing import open_delivery, sealing_for
from sealshot.runtime.cli.commands.styles import beside_a_watch, style
from sealshot.runtime.cli.commands.watching import warn_of_no_sandbox
from sealshot.runtime.cli.terminal import fail, say
from sealshot.runtime.detect import open_detector
from sealshot.runtime.engines.choice import candidates
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import in_folder
from sealshot.runtime.pipeline.run import Seal
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.public.containers import check_output
from sealshot.runtime.public.hiding import Hiding, open_detectors
from sealshot.runtime.public.sink import PublicSink
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.service.check import check, read_config
from sealshot.runtime.service.config import Camera, Config, Public
from sealshot.runtime.service.decode import ConfigError
from sealshot.runtime.service.public import PublicFolder
from sealshot.runtime.service.service import Service
from sealshot.runtime.service.state import default_file
from sealshot.runtime.service.station import Opened, name_camera
from sealshot.runtime.sources import Source
from sealshot.runtime.sources.board import board_source, find_board
from sealshot.runtime.sources.hwaccel import check_hwaccel
from sealshot.runtime.sources.secret import read_secret
from sealshot.runtime.track import open_tracker
from sealshot.runtime.vault.keeper import Sealing
from sealshot.runtime.vault.upload import Delivery
from sealshot.runtime.weights import score_graph

logger = logging.getLogger(__name__)

T = TypeVar("T")

_NO_PATH = re.compile(r"://| ! |^[0-9]+$|^csi:|^/dev/")
"""What is found in a source that names no file and no folder."""


def serve(file: Path, state: Path | None) -> int:
    """Watch until all is over; return the exit code."""
    for handler in logging.getLogger("sealshot").handlers:
        handler.addFilter(name_camera)
    cameras = Cameras(file.parent)
    service, stop = Service(_read(file), cameras, state or default_file(), file.parent), Stop()
    with stop.on_signals(), _on_hangup() as asked, service.alone():

        def reload() -> Config | None:
            if not asked:
                return None
            asked.clear()
            try:
                return read_config(file)
            except InputError as error:
                logger.error("%s: %s; all goes on as before", file, error.fact)
                return None

        return service.run(stop, reload)


def check_file(file: Path) -> int:
    """Say what is wrong with a configuration; return the exit code."""
    problems = check(file, Cameras(file.parent).tries)
    for problem in problems:
        fail(InputError(f"{file}, line {problem.line}: {problem.fact}", problem.hint))
    if problems:
        return InputError.exit_code
    say(f"{file}: nothing is wrong")
    return 0


class Cameras:
    """Opens what the parts of a configuration name.

    Args:
        base: folder of the configuration.
    """

    def __init__(self, base: Path) -> None:
        self._base = base

    def __call__(self, camera: Camera) -> Opened:
        """Return what a camera is watched with."""
        settings = camera.settings(self._source(camera), self._base)
        warn_of_no_sandbox(settings)
        return Opened(
            settings,
            self._sealing(camera),
            in_folder(self._base, camera.vault),
            self._public(camera, camera.public) if camera.public else None,
        )

    def tries(self, camera: Camera) -> Iterator[tuple[str, Callable[[], object]]]:
        """Yield what may be there in vain."""
        if camera.source or camera.source_file:
            yield "source" if camera.source else "source_file", lambda: self._source(camera)
        if (device := camera.hwaccel) and not camera.sandbox:
            yield "hwaccel", lambda: check_hwaccel(device, self._source(camera), sandbox=False)
        if camera.policy or camera.to:
            yield "policy" if camera.policy else "to", lambda: self._sealing(camera, alone=True)
        if policy := camera.policy:
            yield "policy", lambda: check_turning(in_folder(self._base, policy))
        yield "vault", lambda: _writable(in_folder(self._base, camera.vault))
        yield "upload" if camera.upload else "upload_file", lambda: self._delivery(camera)
        if camera.quota:
            yield "quota", lambda: _value(size, camera.quota)
        if camera.retention:
            yield "retention", lambda: _value(duration, camera.retention)
        if (public := camera.public) is not None:
            yield "public.folder", lambda: _writable(in_folder(self._base, public.folder))
            yield "public.style", lambda: self._hiding(camera, public)
            if public.quota:
                yield "public.quota", lambda: _value(size, public.quota)
        least = camera.min_face
        yield "detector", lambda: open_detector(self._detector(camera), min_face_px=least)
        yield "tracker", lambda: open_tracker(camera.tracker)
        yield "score", lambda: load_manifest(self._score(camera))
        if camera.engine != Settings.engine:  # an FPGA may be at work: it is not opened
            engine, _, _ = camera.engine.partition(":")
            yield "engine", lambda: candidates(self._score(camera), engine, "auto")
        if camera.precision != Settings.precision:
            yield "precision", lambda: candidates(self._score(camera), "auto", camera.precision)

    def _detector(self, camera: Camera) -> str:
        return camera.detector_in(self._base)

    def _score(self, camera: Camera) -> Path:
        return score_graph(camera.score_in(self._base))

    def _source(self, camera: Camera) -> str:
        if camera.source is None:
            assert camera.source_file is not None
            source = read_secret(camera.source_file, self._base, "the source")
        else:
            source = camera.source
        if camera.board:
            source = board_source(find_board(camera.board), source)
        if _NO_PATH.search(source):
            return source
        path = in_folder(self._base, source)
        if not path.exists():
            raise InputError(f"there is no file or folder {path}", hint="check the path")
        return str(path)

    def _sealing(self, camera: Camera, *, alone: bool = False) -> Sealing:
        """Return whom to seal to; ``alone`` leaves out what has its own key."""
        policy = in_folder(self._base, camera.policy) if camera.policy else None
        if policy and not policy.exists():
            raise InputError(
                f"there is no policy {policy}",
                hint=f"`sealshot camera enrol {policy.parent} --policy FILE` writes it; or seal to "
                'recipients: to = ["age1..."]',
            )
        return sealing_for(
            policy,
            [r if r.startswith("age1") else str(in_folder(self._base, r)) for r in camera.to or ()],
            retention=_value(duration, camera.retention) if not alone else None,
            quota_bytes=_value(size, camera.quota) if not alone else None,
            rate=camera.rate,
            delivery=self._delivery(camera) if not alone else None,
        )

    def _public(self, camera: Camera, public: Public) -> Callable[[Source, Seal], PublicSink]:
        folder = in_folder(self._base, public.folder)
        files = PublicFolder(folder, _value(size, public.quota))

        def sink(source: Source, seal: Seal) -> PublicSink:
            hiding = self._hiding(camera, public)
            detectors = open_detectors([self._detector(camera)], hiding.min_face_px, beside=True)
            files.begin()
            first = files.file(utc_now())
            return PublicSink(
                first,
                check_output(first, None),
                detectors,
                hiding,
                source.fps,
                seal if camera.policy and public.originals else None,
                files.file,
            )

        return sink

    def _hiding(self, camera: Camera, public: Public) -> Hiding:
        covered, drawn = _value(style, public.style)
        if drawn:
            drawn = replace(drawn, model=in_folder(self._base, str(drawn.model)))
        return beside_a_watch((covered, drawn), public.message, camera.min_face)

    def _delivery(self, camera: Camera) -> Delivery | None:
        url = camera.upload
        if camera.upload_file:
            url = read_secret(camera.upload_file, self._base, "the address")
        return open_delivery(url, camera.after_upload)


def _writable(folder: Path) -> None:
    _value(output_folder, str(folder))


@overload
def _value(read: Callable[[str], T], text: str) -> T: ...
@overload
def _value(read: Callable[[str], T], text: str | None) -> T | None: ...
def _value(read: Callable[[str], T], text: str | None) -> T | None:
    """Read a value as an option of the command line is read."""
    try:
        return None if text is None else read(text)
    except argparse.ArgumentTypeError as error:
        raise InputError(str(error)) from None


def _read(file: Path) -> Config:
    try:
        return read_config(file)
    except ConfigError as error:
        raise InputError(f"{file}, {error.fact}", error.hint) from None


@contextmanager
def _on_hangup() -> Iterator[list[int]]:
    """Collect each SIGHUP while the block runs."""
    asked: list[int] = []

    def arrived(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = signal.signal(signal.SIGHUP, arrived)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGHUP, before)
