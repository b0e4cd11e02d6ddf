"""What every quality measure is, and how one is run on a data set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.data.cache import Cache, key
from sealshot.benchmarks.data.faces import Faces, View, batches
from sealshot.runtime.cli.terminal import progress, warn

Doubles = NDArray[np.float64]
BATCH = 32
TIMED = 24  # faces


class Measure(Protocol):
    """Gives each face a quality."""

    name: str
    """For tables and plots."""
    key: str
    """Changes when its values would: the sha256 of its file and its settings."""
    macs: int | None
    """Multiply-accumulates a face; None where that is not known or it is no network."""

    def rate(self, views: Sequence[View]) -> Doubles:
        """Return the quality of each face, higher is better; ``float64 [n]``."""


def rate_faces(measure: Measure, faces: Faces, cache: Cache) -> Doubles:
    """Rate all faces of a data set: ``float64 [n]``; -inf, and a warning, where a rating failed."""

    def make() -> dict[str, Doubles]:
        parts = []
        with progress(measure.name, len(faces)) as bar:
            for batch in batches(len(faces), BATCH):
                parts.append(measure.rate([faces.view(i) for i in batch]))
                bar.update(batch[-1] + 1)
        return {"quality": np.concatenate(parts)}

    kept = cache.get("quality", key(faces.key, measure.key), make)
    quality = np.asarray(kept["quality"], float)
    failed = np.isnan(quality)
    if failed.any():
        warn(f"{measure.name} failed on {failed.sum()} faces: they are discarded first")
    return np.where(failed, -np.inf, quality)


def cost_ms(measure: Measure, faces: Faces) -> float:
    """Return the milliseconds of processor that one face takes, alone, read and found already.

    The median over faces spread through the data set, after one to warm up; of each face the best
    of three tries. Processor time, of all threads, minds other work on the machine less.
    """
    times = []
    for i in np.linspace(0, len(faces) - 1, TIMED + 1).astype(int):
        view = faces.view(int(i))
        image = view.image()
        held = [View(lambda image=image: image, view.face, view.crop)]  # type: ignore[misc]
        tries = []
        for _ in range(3):
            start = time.process_time()
            measure.rate(held)
            tries.append(time.process_time() - start)
        times.append(min(tries))
    return float(np.median(times[1:])) * 1e3
