"""The form of `rp` that ends at the Gaussians of the pixels: its likelihood is a kernel of ours."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import onnx
import torch
from torch import nn

from sealshot.export.nets.onnx_export import fold, to_onnx
from sealshot.export.nets.vae import RpPixels, RpScore
from sealshot.runtime.engines.manifest import ScoreManifest
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic


def export_pixels(
    graph: nn.Module, manifest: ScoreManifest, precision: str, path: Path
) -> ScoreManifest:
    """Write `rp` up to `mu` and `log_var`, ``[n, L, 4096]`` each, for TensorRT and our kernel.

    Args:
        graph: the trained score graph.
        manifest: of the score; its percentiles are those of this form too.
        precision: ``fp32`` or ``fp16``; the kernel sums in float32 either way.
        path: ``NAME.onnx``.

    Raises:
        InputError: the score has no pixels, or the form does not exist in this precision.
    """
    if not isinstance(graph, RpScore):
        raise InputError(
            f"{manifest.name} is no likelihood of pixels", hint="only rp has this form"
        )
    if precision not in ("fp32", "fp16"):
        raise InputError(f"there is no {precision} form that ends at the pixels", hint="use fp16")
    pixels = RpPixels(graph.vae, manifest.seed, len(graph.noise))
    pixels.noise.copy_(graph.noise)
    form = fold(pixels)
    data = to_onnx(form.half() if precision == "fp16" else form, ["crops"], ["mu", "log_var"])
    write_atomic(path, data)
    written = replace(
        manifest,
        sha256=hashlib.sha256(data).hexdigest(),
        precision=precision,
        versions={"torch": torch.__version__, "onnx": onnx.__version__},
        calibration={},
    )
    written.write(path)
    return written
