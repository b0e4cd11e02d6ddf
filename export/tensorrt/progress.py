"""How far a TensorRT build is: its nested phases, counted from its own threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sealshot.runtime.cli.terminal import Bar


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildProgress:
    """The phases that run now. Its methods may be called from any thread, and never raise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phases: dict[str, _Phase] = {}  # in the order in which they began
        self._stopped = threading.Event()

    def started(self, phase: str, parent: str | None, steps: int) -> None:
        """Take that a phase began, inside another or not."""
        with self._lock:
            self._phases[phase] = _Phase(parent, max(1, steps))

    def stepped(self, phase: str, step: int) -> None:
        """Take that a step of a phase, counted from 0, is done."""
        with self._lock:
            if phase in self._phases:
                self._phases[phase].done = step + 1

    def finished(self, phase: str) -> None:
        """Take that a phase ended, perhaps before its last step."""
        with self._lock:
            self._phases.pop(phase, None)

    def stop(self) -> None:
        """Ask the build to end."""
        self._stopped.set()

    def go_on(self) -> bool:
        """Whether nobody asked the build to end."""
        return not self._stopped.is_set()

    def now(self) -> tuple[float, str]:
        """Return the share of the outermost phase that is done, 0 to 1, and the phases by name."""
        with self._lock:
            share, names = 0.0, list[str]()
            for name, phase in reversed(self._phases.items()):
                inner = share if names and self._phases[names[0]].parent == name else 0.0
                share = min(1.0, (phase.done + inner) / phase.steps)
                names.insert(0, name)
            return share, " > ".join(names)

    def show(self, bar: Bar) -> None:
        """Show it on a bar of 100."""
        share, phases = self.now()
        bar.update(int(100 * share), phases)
