"""The forms of a model: its precisions, the recipes of int8, and the files that hold them.

``NAME.onnx`` is fp32. Beside it may lie ``NAME.fp16.onnx``, ``NAME.int8.onnx`` by the recipe `cpu`,
and ``NAME.int8-RECIPE.onnx`` by another one. ``NAME.w8a9.onnx`` is what an FPGA computes.
"""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealshot.runtime.errors import InputError

PRECISIONS = ("fp32", "fp16", "int8")
"""The fullest first."""
OF_HARDWARE = "w8a9"
"""Weights of 8 bits, activations of 9: nobody's choice but by the name of its file."""
GENERAL = "cpu"


@dataclass(frozen=True)
class Recipe:
    """How numbers become int8, as what runs them wants it. Weights are signed and symmetric."""

    activation: type[np.integer]
    """``uint8`` or ``int8``."""
    symmetric: bool
    """The zero point of activations is 0."""
    bias: bool
    """Biases are int32."""
    runs_on: str
    """For people."""


RECIPES = {
    GENERAL: Recipe(np.uint8, False, True, "any processor: unsigned by signed"),
    "arm": Recipe(np.int8, False, True, "ARM: signed by signed"),
    "tensorrt": Recipe(np.int8, True, False, "TensorRT: symmetric, float bias"),
}
OF_VERSION_0_1 = "avx2"
"""A recipe with weights of 7 bits, which ran on x86 without VNNI before `cpu` did. Still read."""


def processor_recipes() -> tuple[str, ...]:
    """Return the recipes that run right on this processor, its own first.

    `cpu` runs right on all: with VNNI, without it (see `engines/onnx_session.py`), and on ARM.
    """
    if platform.machine() in ("x86_64", "AMD64"):
        return (GENERAL, OF_VERSION_0_1)
    return ("arm", GENERAL, OF_VERSION_0_1)


def form_suffix(precision: str, recipe: str = GENERAL) -> str:
    """Return what follows NAME in the file of a form, such as ``.int8-arm.onnx``."""
    if precision == "fp32":
        return ".onnx"
    return f".{precision}{'' if recipe == GENERAL else f'-{recipe}'}.onnx"


def forms(model: Path, recipes: Sequence[str] | None = None) -> dict[str, Path]:
    """Return the files of a model by precision, the fullest first.

    Args:
        model: ``NAME.onnx``, which need not exist; or one of its other forms, which stands for
            itself alone.
        recipes: of int8, that what is to run it takes, the best first; None takes those of this
            processor.
    """
    own = model.stem.rpartition(".")[2].partition("-")[0]
    if own in (*PRECISIONS, OF_HARDWARE):
        return {own: model}
    files = {"fp32": model}
    lower = [("fp16", GENERAL)]
    lower += [("int8", r) for r in (processor_recipes() if recipes is None else recipes)]
    for precision, recipe in lower:
        file = model.with_name(model.stem + form_suffix(precision, recipe))
        if precision not in files and file.is_file():
            files[precision] = file
    return files


def full_form(model: Path) -> Path:
    """Return the fp32 graph that a form of a model, or a plan of one, belongs to."""
    lower = "|".join((*PRECISIONS[1:], OF_HARDWARE))
    return model.with_name(re.split(rf"\.(?:{lower})\b", model.stem)[0] + ".onnx")


def check_recipe(model: Path, recipe: str | None, taken: Sequence[str], by: str) -> None:
    """Refuse int8 that was made for something else.

    Args:
        model: the file.
        recipe: of its int8; None where it is not int8.
        taken: the recipes that are right, the best first.
        by: what is to run it, for people.

    Raises:
        InputError: the recipe is another; the hint makes the right file.
    """
    if recipe is None or recipe in taken:
        return
    own = f" --recipe {taken[0]}" if taken[0] != processor_recipes()[0] else ""
    source = shlex.quote(str(full_form(model)))
    raise InputError(
        f"{model} is int8 by the recipe '{recipe}', which {by} does not take",
        hint=f"make one that it takes: `sealshot export {source} --precision int8{own} "
        "--calibrate FACES -o DIR`",
    )
