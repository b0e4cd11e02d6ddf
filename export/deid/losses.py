"""What the operator is trained for: the paper's losses, or what works where those do not train.

Eq. 9 of the paper saturates where a picture is unchanged, so the anonymity is ``-log(1 - D_a)``;
its histogram has no gradient, so colours are compared as means of cells; the adversarial loss is
hinge with R1 (Mescheder 2018). There is no reconstruction: nothing of the person is to be in the
pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sealshot.export.deid.faces import UNKNOWN
from sealshot.export.nets.deid import Critic, Patches
from sealshot.runtime.public.placing import SIDE_PX

CELL_PX = SIDE_PX // 4


def identity(critic: Critic, embedding: Tensor, person: Tensor) -> Tensor:
    """Mean loss of all pairs of a batch, genuine and impostor pairs weighing the same.

    Args:
        critic: D_a.
        embedding: ``[n, d]``.
        person: ``[n]``; -1 where nobody knows.
    """
    logits = critic.same(embedding[:, None], embedding[None])
    same = (person[:, None] == person[None]).to(logits.dtype)
    known = (person[:, None] >= 0) & (person[None] >= 0)
    known &= ~torch.eye(len(person), dtype=torch.bool, device=person.device)
    each = functional.binary_cross_entropy_with_logits(logits, same, reduction="none")
    genuine, impostor = known & (same > 0), known & (same == 0)
    # impostors weigh by how near they come, as the hardest decide at a low false match rate
    hard = torch.softmax(2 * torch.where(impostor, logits, -torch.inf).flatten().detach(), 0)
    hardest = (hard * each.flatten()).sum()
    return _mean(each, genuine) + (_mean(each, impostor) + hardest) / 2


def attributes(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy where a label is known."""
    known = labels != UNKNOWN
    target = labels.clamp(min=0).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return _mean(each, known)


def other(critics: Sequence[Critic], seen: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """``-log(1 - D_a)``: that no critic takes two faces for one person; the worst critic counts."""
    each = [
        functional.softplus(critic.same(left, right))
        for critic, left, right in zip(critics, seen, made, strict=True)
    ]
    return torch.stack(each).amax(0).mean()


def same(critics: Sequence[Critic], seen: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """``-log D_a``: that each critic takes two faces for one person."""
    each = [
        functional.softplus(-critic.same(left, right))
        for critic, left, right in zip(critics, seen, made, strict=True)
    ]
    return torch.stack(each).mean()


def colours(made: Tensor, crops: Tensor) -> Tensor:
    """How far the means of cells are from those of the picture: light and skin stay as they are."""
    return functional.l1_loss(
        functional.avg_pool2d(made, CELL_PX), functional.avg_pool2d(crops, CELL_PX)
    )


def real(logits: Tensor) -> Tensor:
    """Hinge loss of what is real."""
    return functional.relu(1 - logits).mean()


def fake(logits: Tensor) -> Tensor:
    """Hinge loss of what was made."""
    return functional.relu(1 + logits).mean()


def r1(patches: Patches, crops: Tensor, landmarks: Tensor) -> Tensor:
    """Squared gradient of what D_f says of real pictures."""
    crops = crops.detach().requires_grad_()
    logits = patches(crops, landmarks).sum()
    (gradient,) = torch.autograd.grad(logits, crops, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def _mean(each: Tensor, where: Tensor) -> Tensor:
    return (each * where).sum() / where.sum().clamp(min=1)
