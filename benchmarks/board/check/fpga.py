"""What `sealshot board check` asks of a board with an FPGA, which other commands cannot measure."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.engines import ENGINES, Scorer, engine_forms
from sealshot.runtime.engines.choice import FPGA
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.engines.weight_stream import STREAM
from sealshot.runtime.weights import score_graph


def port_of(engine: str) -> str:
    """Return the port of an engine ``fpga:PORT``; empty for another engine."""
    name, _, port = engine.partition(":")
    return port if name == FPGA else ""


def named_engine(text: str) -> str:
    """Read an engine that can be asked for: one that is found here, or ``fpga:PORT``."""
    names = [name for name in ENGINES[1:] if name != FPGA]
    if text not in names and not port_of(text):
        raise argparse.ArgumentTypeError(
            f"invalid choice: '{text}' (choose from {', '.join(names)}, {FPGA}:PORT, {FPGA}:sim)"
        )
    return text


def forms_for(score: str, engine: str) -> dict[str, Path]:
    """Return the files of a score that an engine can be tried with, by precision."""
    model = score_graph(score)
    if model.suffix == STREAM:
        return {load_manifest(model).precision: model} if port_of(engine) else {}
    return {} if port_of(engine) else engine_forms(model, engine)


def rates(
    board: Scorer, name: str, crops: NDArray[np.uint8], batches: Sequence[int], seconds: float
) -> list[dict[str, Any]]:
    """Return rows with the faces a second that a board scores, its line and driver included."""
    rows = []
    for batch in batches:
        part = np.resize(crops, (batch, *crops.shape[1:]))
        calls_s: list[float] = []
        while sum(calls_s) < seconds:
            start = time.perf_counter()
            board.score(part)
            calls_s.append(time.perf_counter() - start)
        rows.append(
            {
                "name": name,
                "batch": batch,
                "threads": 0,
                "faces/s": round(batch * len(calls_s) / sum(calls_s), 1),
                "ms a call, p50": round(1e3 * float(np.quantile(calls_s, 0.5)), 3),
                "p99": round(1e3 * float(np.quantile(calls_s, 0.99)), 3),
            }
        )
    return rows
