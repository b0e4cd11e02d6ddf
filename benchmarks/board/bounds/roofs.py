"""Upper bounds by roofline: no engine on a board is faster than its arithmetic and its memory.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealshot.benchmarks.speed.graph_cost import BYTES, Layer
from sealshot.boards import Board, PowerMode

if TYPE_CHECKING:  # onnx, which it needs, is an extra
    from sealshot.benchmarks.board.bounds.peaks import Peaks

PRECISIONS = tuple(BYTES)
CROP_BYTES, SCORE_BYTES = 64 * 64, 4


@dataclass(frozen=True)
class Roof:
    """What a board can do at one precision, in one power mode."""

    board: str
    mode: str
    precision: str
    tops: float
    """10^12 operations a second."""
    memory_gb_s: float
    watts: float | None
    """What the mode lets the board draw; None where there is no cap or it is not known."""
    idle_w: float | None
    basis: str
    """Where the rates come from: ``measured here``, ``verified``, or ``second hand``."""


@dataclass(frozen=True)
class Bound:
    """What no engine on the board can beat at one batch. A bound, not a forecast."""

    roof: Roof
    batch: int
    faces_per_s: float
    """At most: all multiply-accumulates at the peak rate, or weights and crops through memory once,
    whichever takes longer. Holds for every engine that does these multiply-accumulates."""
    limit: str
    """``compute`` or ``memory``: which of the two it is."""
    faces_per_s_by_layer: float
    """At most, if the input and output of each layer pass through memory. An engine that keeps
    them in a cache, or fuses layers, can be faster than this; few are."""
    joules_at_budget: float | None
    """A face costs at least this much *if* the board draws what the mode allows. A board that draws
    less costs less, so by itself it is no lower bound."""
    joules_at_rest: float | None
    """A face costs at least this: the board's draw at rest for the least time. None where the draw
    at rest is not known."""


def roofs(board: Board, precision: str, *, all_modes: bool) -> list[Roof]:
    """Return the roofs of a board at a precision; none where it lacks a rate for it.

    Args:
        board: a profile.
        precision: ``fp32``, ``fp16`` or ``int8``.
        all_modes: of each power mode, not only at the highest clocks. A mode whose caps are not
            known gets the highest clocks: still a bound.
    """
    compute = board.compute
    rate = {
        "fp32": compute.fp32_tflops,
        "fp16": compute.fp16_tflops,
        "int8": compute.int8_tops,
    }[precision]
    if rate is None or compute.memory_gb_s is None:
        return []
    basis = "verified" if rate.verified and compute.memory_gb_s.verified else "second hand"

    modes: tuple[PowerMode | None, ...] = board.power_modes or (None,)
    if not all_modes:
        modes = (max(modes, key=lambda mode: _share(board, mode)),)
    return [
        Roof(
            board=board.name,
            mode=mode.name if mode else "highest clocks",
            precision=precision,
            tops=rate.value * _share(board, mode),
            memory_gb_s=(mode and mode.memory_gb_s) or compute.memory_gb_s.value,
            watts=mode.watts if mode else None,
            idle_w=compute.idle_w.value if compute.idle_w else None,
            basis=basis,
        )
        for mode in modes
    ]


def measured_roofs(name: str, peaks: Peaks) -> dict[str, Roof]:
    """Return the roofs of the machine at hand, by precision. ONNX Runtime has no fp16 on x86."""
    rates = {"fp32": peaks.fp32_tflops, "int8": peaks.int8_tops}
    return {
        precision: Roof(
            board=name,
            mode=f"{peaks.threads} thread{'s' if peaks.threads > 1 else ''}",
            precision=precision,
            tops=rate,
            memory_gb_s=peaks.memory_gb_s,
            watts=None,
            idle_w=None,
            basis="measured here",
        )
        for precision, rate in rates.items()
    }


def bound(layers: Sequence[Layer], batch: int, roof: Roof, fewest_macs: int | None = None) -> Bound:
    """Return what a score's layers can reach under a roof.

    Args:
        layers: of one pass of ``batch`` crops.
        batch: crops in the pass.
        roof: of a board.
        fewest_macs: of one crop in any form of the model, where a graph does more than it must
            because that is faster on some engine; None: those of ``layers``.
    """
    macs = sum(layer.macs for layer in layers)
    if fewest_macs is not None:
        macs = min(macs, batch * fewest_macs)
    operations_per_s, bytes_per_s = roof.tops * 1e12, roof.memory_gb_s * 1e9
    arithmetic_s = 2 * macs / operations_per_s
    moved = BYTES[roof.precision] * sum(layer.weights for layer in layers)
    memory_s = (moved + batch * (CROP_BYTES + SCORE_BYTES)) / bytes_per_s
    by_layer_s = sum(
        max(2 * layer.macs / operations_per_s, layer.bytes(roof.precision) / bytes_per_s)
        for layer in layers
    )
    faces_per_s = batch / max(arithmetic_s, memory_s)
    return Bound(
        roof=roof,
        batch=batch,
        faces_per_s=faces_per_s,
        limit="compute" if arithmetic_s >= memory_s else "memory",
        faces_per_s_by_layer=batch / max(by_layer_s, batch / faces_per_s),
        joules_at_budget=roof.watts / faces_per_s if roof.watts else None,
        joules_at_rest=roof.idle_w / faces_per_s if roof.idle_w else None,
    )


def _share(board: Board, mode: PowerMode | None) -> float:
    """Return the share of the highest arithmetic rate that a mode leaves."""
    sms, mhz = board.compute.gpu_sms, board.compute.gpu_mhz
    if not (mode and sms and mhz and mode.gpu_sms and mode.gpu_mhz):
        return 1.0
    return min(1.0, mode.gpu_sms * mode.gpu_mhz / (sms.value * mhz.value))
