"""One camera of a service: watched as by `sealshot run`, and again whenever that fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealshot.runtime.errors import SealshotError
from sealshot.runtime.pipeline.run import Problem, Seal, run
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Sink
from sealshot.runtime.pipeline.stages import Stages
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.public.sink import PublicSink
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.service.config import Camera
from sealshot.runtime.service.look import look_at
from sealshot.runtime.service.public import Public
from sealshot.runtime.service.schedule import is_on
from sealshot.runtime.service.state import CameraState, Phase, VaultState
from sealshot.runtime.service.tally import Tally
from sealshot.runtime.sources import Source
from sealshot.runtime.vault.keeper import Sealing

logger = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0
"""Between two tries of a camera whose watch failed; each wait is twice the last one."""
SOUND_S = 60.0
"""A watch that lasted for so long had begun well: the next wait is the first again."""
LOOK_EVERY_S, LOOK_SHARE, LONGEST_LOOK_S = 5.0, 0.02, 60.0
"""A vault is looked at so often, or where it is large in a fiftieth of the time."""
POLL_S = 0.2


@dataclass(frozen=True)
class Opened:
    """What a camera is watched with."""

    settings: Settings
    sealing: Sealing
    vault: Path
    public: Callable[[Source, Seal], PublicSink] | None = None
    """Makes the sink of a public stream, where there is to be one."""


_camera: ContextVar[str] = ContextVar("_camera", default="")
"""That which a thread works for."""


def name_camera(record: logging.LogRecord) -> bool:
    """Have what is logged say of which camera it is; a filter of logging, which passes all."""
    if name := _camera.get():
        record.msg, record.args = f"camera {name}: {record.getMessage()}", ()
    return True


Opener = Callable[[Camera], Opened]
"""Reads the files that a camera's part of the configuration names, or raises SealshotError."""


class Station:
    """Watches one camera in threads of its own until it is stopped.

    Args:
        name: of the camera.
        camera: its part of the configuration.
        opener: called for each watch.
        on_person: called once for each person.
    """

    def __init__(
        self, name: str, camera: Camera, opener: Opener, on_person: Callable[[str], None]
    ) -> None:
        self.name, self.camera = name, camera
        self.tally = Tally(lambda: on_person(name))
        self._public = Public() if camera.public else None
        self._opener, self._stop = opener, Stop()
        self._rest = Stop()
        """Of the present watch: its hours are over."""
        self._phase: Phase = "starting"
        self._since = utc_now()
        self._problem, self._engine = "", ""
        self._source: Source | None = None
        self._full: Problem = str
        self._recorded = False
        """Whether it is a recording that was begun."""
        self._broke_in_stop = False
        self._vault: VaultState | None = None
        self._look_problem = ""
        self._opened: Opened | None = None
        self._thread = threading.Thread(target=self._run, name=f"camera-{name}", daemon=True)
        self._looker = threading.Thread(target=self._look, name=f"look-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._looker.start()

    def stop(self) -> None:
        """Ask it to seal whoever is in view, and to end; :meth:`join` waits for it."""
        self._stop.set()
        self._rest.set()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended; say whether it has."""
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    @property
    def failed(self) -> bool:
        """Whether it ended by a failure, or lost something as it was stopped."""
        return self._broke_in_stop or (self._phase == "ended" and bool(self._problem))

    @property
    def phase(self) -> Phase:
        """What it does."""
        return self._phase

    def still_s(self) -> float:
        """Return for how many seconds its watch has taken nothing, where it should have."""
        if self._phase not in ("starting", "running"):
            return 0.0
        return time.monotonic() - self.tally.moved_at

    def state(self) -> CameraState:
        """Return how it is."""
        tally, scores = self.tally, tuple(self.tally.scores)
        return CameraState(
            name=self.name,
            phase=self._phase,
            since=self._since,
            problem=self._problem or self._full() or self._look_problem,
            frames=tally.frames,
            fps=round(tally.fps(), 2),
            last_frame=tally.last_frame,
            dropped=self._source.dropped if self._source else 0,
            people=tally.people,
            people_today=tally.people_today(),
            mean_score=sum(scores) / len(scores) if scores else None,
            engine=self._engine,
            vault=self._vault,
            public_pictures=self._public.pictures if self._public else None,
            public_problem=self._public.problem if self._public else "",
        )

    def _run(self) -> None:
        _camera.set(self.name)
        wait_s = FIRST_WAIT_S
        while not self._stop.is_set():
            if not self._is_on():
                self._enter("resting")
                time.sleep(POLL_S)
                continue
            began = time.monotonic()
            failure = self._watch()
            if failure is None and self._rest.is_set() and not self._stop.is_set():
                continue
            if failure is None:
                self._enter("stopped" if self._stop.is_set() else "ended")
                return
            if self._recorded:  # from its beginning people would be sealed twice
                self._enter("ended", failure.fact)
                logger.error("%s", failure.fact)
                return
            wait_s = FIRST_WAIT_S if time.monotonic() - began > SOUND_S else wait_s
            self._enter("waiting", failure.fact)
            logger.error(
                "%s%s%s",
                failure.fact,
                "" if self._stop.is_set() else f"; again in {wait_s:.0f} s",
                f" (hint: {failure.hint})" if failure.hint else "",
            )
            until = time.monotonic() + wait_s
            while time.monotonic() < until and not self._stop.is_set():
                time.sleep(POLL_S)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        self._enter("stopped", self._problem)

    def _watch(self) -> SealshotError | None:
        """Watch to the end; return what broke."""
        self.tally.begin()
        self._rest = Stop()
        if self._stop.is_set():
            self._rest.set()
        self._enter("starting", self._problem)
        try:
            opened = self._opener(self.camera)
            self._opened = opened
            summary = run(
                opened.settings,
                opened.sealing,
                opened.vault,
                picture=self.camera.picture,
                stop=self._rest,
                connect=self._connect,
            )
        except SealshotError as error:
            return error
        except Exception as error:  # the others must not lose anything by a defect of this one
            logger.exception("a defect")
            return SealshotError(f"a defect: {error!r}", "report it with what is in the log")
        finally:
            self._source, self._full = None, str
        self._broke_in_stop = self._stop.is_set() and summary.failure is not None
        return summary.failure

    def _connect(self, source: Source, stages: Stages, seal: Seal, full: Problem) -> Sequence[Sink]:
        self._source, self._engine, self._full = source, stages.engine.description, full
        self._recorded = not source.live
        self._enter("running")
        logger.info("watching %s on %s", source.name, self._engine)
        make = self._opened.public if self._opened else None
        if make is None or self._public is None:
            return [self.tally]
        self._public.begin(lambda: make(source, seal))
        return [self.tally, self._public]

    def _is_on(self) -> bool:
        return is_on(self.camera.schedule, datetime.now())

    def _enter(self, phase: Phase, problem: str = "") -> None:
        if phase != self._phase:
            self._since = utc_now()
        self._phase, self._problem = phase, problem

    def _look(self) -> None:
        """Look at the vault now and then: a disk that hangs holds up nothing else."""
        _camera.set(self.name)
        look_at_s = 0.0
        while not self._stop.is_set():
            time.sleep(POLL_S)
            if not self._is_on():
                self._rest.set()
            opened = self._opened
            if opened is None or time.monotonic() < look_at_s:
                continue
            if self._vault is None and not opened.vault.is_dir():
                continue  # it is made in a moment
            began_s = time.monotonic()
            try:
                self._vault = look_at(opened.vault, opened.sealing)
                self._look_problem = ""
            except (SealshotError, OSError) as error:
                self._look_problem = str(error)
            now_s = time.monotonic()
            wait_s = max(LOOK_EVERY_S, (now_s - began_s) / LOOK_SHARE)
            look_at_s = now_s + min(wait_s, LONGEST_LOOK_S)
