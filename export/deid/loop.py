"""The loop of a training that can be stopped at any time."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic

SAVE_STEPS = 200
LONGEST_GRADIENT = 5.0


def loop(
    label: str,
    steps: int,
    step: Callable[[int], str],
    parts: Mapping[str, Any],
    settings: Mapping[str, Any],
    checkpoint: Path,
    told: Mapping[str, Any] | None = None,
) -> None:
    """Do the steps that are left, and keep the state now and then.

    Args:
        label: of the progress.
        steps: in all.
        step: does one, given its number, and says how it went.
        parts: what is kept: nets and optimisers.
        settings: that a checkpoint has to be of.
        checkpoint: where.
        told: kept beside, for who exports it.

    Raises:
        InputError: the checkpoint is of other settings, or is none.
    """
    done = restore(checkpoint, parts, settings) if checkpoint.exists() else 0
    if done:
        note(f"going on after step {done} ({checkpoint})")
    with progress(label, steps) as bar:
        for number in range(done, steps):
            text = step(number)
            bar.update(number + 1, text)
            if (number + 1) % SAVE_STEPS == 0 or number + 1 == steps:
                _save(checkpoint, number + 1, parts, settings, told or {})


def _save(
    path: Path,
    done: int,
    parts: Mapping[str, Any],
    settings: Mapping[str, Any],
    told: Mapping[str, Any],
) -> None:
    buffer = io.BytesIO()
    states = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"settings": dict(settings), "done": done, **told, **states}, buffer)
    write_atomic(path, buffer.getvalue(), mode=0o600)


def restore(path: Path, parts: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> int:
    """Fill parts from a checkpoint, and return how many steps it had done.

    Args:
        path: of the checkpoint.
        parts: what is filled; the checkpoint may hold more.
        settings: that it has to be of; None takes any.

    Raises:
        InputError: it is of other settings, or is none.
    """
    try:
        state = torch.load(path, weights_only=True)
        if settings is not None and state["settings"] != dict(settings):
            raise InputError(
                f"{path} was trained with other settings", hint=f"delete {path} to start anew"
            )
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return int(state["done"])
    except InputError:
        raise
    except Exception as error:  # unpickling raises anything
        raise InputError(
            f"{path} is not a checkpoint of this training",
            hint=f"delete {path} to start anew" if settings else "give another operator.ckpt",
        ) from error


def set_rate(optimizer: torch.optim.Optimizer, most: float, done: float) -> None:
    """Let the learning rate fall as a cosine, to a hundredth."""
    for group in optimizer.param_groups:
        group["lr"] = most * (0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Do one step of an optimiser."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    nn.utils.clip_grad_norm_(parameters, LONGEST_GRADIENT)
    optimizer.step()
