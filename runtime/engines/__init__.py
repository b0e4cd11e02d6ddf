"""Engines that turn crops into quality scores, one file each."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.engines.base import Engine
from sealshot.runtime.engines.onnxruntime import OnnxRuntimeEngine
from sealshot.runtime.errors import InputError

ENGINES = ("auto", "onnxruntime")

__all__ = ["ENGINES", "Engine", "OnnxRuntimeEngine", "open_engine"]


def open_engine(model: Path, engine: str = "auto", *, threads: int = 0) -> Engine:
    """Open a score graph on the fastest engine that is usable, or on the one that is named.

    Raises:
        InputError: there is no such engine, or the model cannot be opened.
    """
    if engine not in ENGINES:
        raise InputError(f"there is no engine '{engine}'", hint=f"use one of {', '.join(ENGINES)}")
    return OnnxRuntimeEngine(model, threads=threads)
