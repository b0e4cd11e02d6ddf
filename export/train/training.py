"""A training loop that can be stopped at any moment and goes on where it was."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sealshot.export.train.schedules import Schedule
from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import write_atomic

BatchLoss = Callable[[Tensor], Tensor]
"""Indices of a batch to the mean loss of the batch."""


@dataclass(frozen=True)
class Losses:
    """Mean loss of each epoch so far."""

    train: tuple[float, ...]
    validation: tuple[float, ...]


def fit(
    model: nn.Module,
    loss: BatchLoss,
    train: Tensor,
    validation: Tensor,
    schedule: Schedule,
    checkpoint: Path,
    label: str,
) -> Losses:
    """Train a model with Adam and leave it with the weights of the epoch that validated best.

    Where the schedule asks for averaging, these are running averages over the steps (Polyak and
    Juditsky 1992), which are less noisy than the weights of any one step.

    A checkpoint is written after each epoch; the same call goes on from it. Each epoch draws from a
    generator seeded with its number, so that a resumed run ends with the same weights.

    Args:
        model: its parameters are trained in place.
        loss: mean loss of the samples with the given indices.
        train: ``int64 [n]``, indices to train on.
        validation: ``int64 [m]``, indices held out.
        schedule: epochs, batch size, learning rate.
        checkpoint: file for the state between epochs.
        label: what the progress bar calls the work.

    Raises:
        InputError: the checkpoint is of another run.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=schedule.learning_rate)
    steps = -(-len(train) // schedule.batch)
    total = steps * schedule.epochs
    keep = get_ema_multi_avg_fn(schedule.averaging)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(model, multi_avg_fn=keep, use_buffers=True)
    best_state, losses = copy.deepcopy(model.state_dict()), Losses((), ())
    if checkpoint.exists():
        best_state, losses = _resume(checkpoint, model, averaged, optimizer, schedule)
        note(f"going on after epoch {len(losses.train)} of {schedule.epochs} ({checkpoint})")
    with progress(label, total) as bar:
        for epoch in range(len(losses.train), schedule.epochs):
            torch.manual_seed(schedule.seed * 100_003 + epoch)
            model.train()
            sums = 0.0
            for i, batch in enumerate(_batches(train, schedule.batch)):
                step = epoch * steps + i
                for group in optimizer.param_groups:
                    group["lr"] = schedule.learning_rate * _rate(step / total, schedule.warm_up)
                value = loss(batch)
                optimizer.zero_grad()
                value.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(model.parameters(), schedule.clip_norm)
                optimizer.step()
                averaged.update_parameters(model)
                sums += value.item() * len(batch)
                bar.update(step + 1, _text(epoch, schedule.epochs, losses))
            state = copy.deepcopy(model.state_dict())
            model.load_state_dict(averaged.module.state_dict())
            losses = Losses(
                (*losses.train, sums / len(train)),
                (*losses.validation, evaluate(model, loss, validation, schedule)),
            )
            if losses.validation[-1] == min(losses.validation):
                best_state = copy.deepcopy(model.state_dict())
            model.load_state_dict(state)
            _save(checkpoint, model, averaged, optimizer, schedule, best_state, losses)
    model.load_state_dict(best_state)
    model.eval()
    return losses


def evaluate(model: nn.Module, loss: BatchLoss, indices: Tensor, schedule: Schedule) -> float:
    """Return the mean loss over some samples, with the same randomness at each call."""
    model.eval()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(schedule.seed)
        parts = torch.split(indices, schedule.batch)
        return sum(loss(p).item() * len(p) for p in parts) / len(indices)


def split(n: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return indices to train on and indices held out, drawn at random."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    held_out = max(1, round(n * share))
    return order[held_out:], order[:held_out]


def _batches(indices: Tensor, size: int) -> Iterator[Tensor]:
    yield from torch.split(indices[torch.randperm(len(indices))], size)


def _rate(done: float, warm_up: float) -> float:
    if done < warm_up:
        return done / warm_up
    return (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up))) / 2


def _text(epoch: int, epochs: int, losses: Losses) -> str:
    text = f"epoch {epoch + 1}/{epochs}"
    if losses.train:
        text += f", loss {losses.train[-1]:.4f}, held out {losses.validation[-1]:.4f}"
    return text


def _save(
    path: Path,
    model: nn.Module,
    averaged: AveragedModel,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    best_state: dict[str, Tensor],
    losses: Losses,
) -> None:
    buffer = io.BytesIO()
    torch.save(
        {
            "model": model.state_dict(),
            "averaged": averaged.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": vars(schedule),
            "best": best_state,
            "train": losses.train,
            "validation": losses.validation,
        },
        buffer,
    )
    write_atomic(path, buffer.getvalue())


def _resume(
    path: Path,
    model: nn.Module,
    averaged: AveragedModel,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
) -> tuple[dict[str, Tensor], Losses]:
    fix = f"delete {path} to start anew"
    try:
        state = torch.load(path, weights_only=True)
        if state["schedule"] != vars(schedule):
            raise InputError(f"{path} was trained with other settings", hint=fix)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        return state["best"], Losses(tuple(state["train"]), tuple(state["validation"]))
    except InputError:
        raise
    except Exception as error:  # unpickling raises anything
        raise InputError(f"{path} is not a checkpoint of this model", hint=fix) from error
