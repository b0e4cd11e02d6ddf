"""What the operator is trained for: the paper's losses, or what works where those do not train.

Eq. 9 of the paper saturates where a picture is unchanged, so the anonymity is ``-log(1 - D_a)``;
its histogram has no gradient, so colours are compared as means of cells; the adversarial loss asks
which of two pictures is real, with R1 and R2 (Huang 2024, arXiv 2501.05441), or is the paper's
(Wasserstein with gradient penalty).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sealshot.export.deid.labels import UNKNOWN
from sealshot.export.deid.precision import quick
from sealshot.export.nets.deid_judges import Critic, Patches
from sealshot.runtime.public.placing import SIDE_PX

CELL_PX = SIDE_PX // 4
MARGIN, LENGTH = 0.2, 24.0
"""Of :func:`person_of_all`."""


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


def person_of_all(cosine: Tensor, person: Tensor) -> Tensor:
    """Mean cross-entropy of who it is of all people that are trained on (CosFace, Wang 2018).

    Args:
        cosine: ``[n, people]``, to what stands for each of them.
        person: ``[n]``; -1 where nobody knows.
    """
    known = person >= 0
    own = functional.one_hot(person[known], cosine.shape[1])
    return functional.cross_entropy(LENGTH * (cosine[known] - MARGIN * own), person[known])


def attributes(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy where a label is known."""
    known = labels != UNKNOWN
    target = labels.clamp(min=0).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return _mean(each, known)


def shared(logits: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Mean loss of what two pictures share, over identity and labels; both ways weigh alike.

    Args:
        logits: ``[n, traits]``, of :class:`~sealshot.export.nets.deid_judges.PairCritic`.
        left: ``[n, traits]``: the traits of one picture; -1 where nobody knows.
        right: of the other.
    """
    known = (left >= 0) & (right >= 0)
    same = (left == right).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, same, reduction="none")
    both = [
        (each * where).sum(0) / where.sum(0).clamp(min=1)
        for where in (known & (left == right), known & (left != right))
    ]
    return (both[0] + both[1]).mean() / 2


def other(critic: Critic, seen: Tensor, made: Tensor) -> Tensor:
    """``-log(1 - D_a)``: that a critic does not take two faces for one person."""
    return functional.softplus(critic.same(seen, made)).mean()


def placed(points: Tensor, landmarks: Tensor) -> Tensor:
    """How far landmarks, ``[n, 5, 2]``, lie from where they are to be, in pixels."""
    return functional.l1_loss(points, landmarks)


def same(critic: Critic, seen: Tensor, made: Tensor) -> Tensor:
    """``-log D_a``: that a critic takes two faces for one person."""
    return functional.softplus(-critic.same(seen, made)).mean()


def colours(made: Tensor, crops: Tensor) -> Tensor:
    """How far the means of cells are from those of the picture: light and skin stay as they are."""
    return functional.l1_loss(
        functional.avg_pool2d(made, CELL_PX), functional.avg_pool2d(crops, CELL_PX)
    )


def realer(logits: Tensor, than: Tensor) -> Tensor:
    """That one picture looks more real than another of the same pose (Jolicoeur-Martineau
    2018): of real than of made for D_f, the other way round for what draws."""
    return functional.softplus(than - logits).mean()


def steep(patches: Patches, crops: Tensor, landmarks: Tensor) -> Tensor:
    """Squared gradient of what D_f says: R1 of real pictures, R2 of made ones."""
    crops = crops.detach().requires_grad_()
    logits = patches(crops, landmarks).mean((1, 2, 3)).sum()
    (gradient,) = torch.autograd.grad(logits, crops, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def gradient_penalty(patches: Patches, crops: Tensor, made: Tensor, landmarks: Tensor) -> Tensor:
    """How far the gradient halfway from real to made is from length 1 (Gulrajani 2017)."""
    middle = ((crops + made) / 2).detach().requires_grad_()
    logits = patches(middle, landmarks).mean((1, 2, 3)).sum()
    (gradient,) = torch.autograd.grad(logits, middle, create_graph=True)
    away: Tensor = gradient.flatten(1).norm(dim=1) - 1
    return away.square().mean()


def perceived(critic: Critic, made: Tensor, crops: Tensor) -> Tensor:
    """How far what a critic sees in two pictures lies apart (Johnson 2016)."""
    features = quick(critic.features)
    with torch.no_grad():
        wanted = features(crops)
    pairs = zip(features(made), wanted, strict=True)
    return torch.stack([functional.l1_loss(left, right) for left, right in pairs]).mean()


def code(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Divergence of Gaussians from N(0, 1), in nats (Kingma 2013)."""
    each = mean.square() + log_variance.exp() - 1 - log_variance
    return each.sum(1).mean() / 2


def _mean(each: Tensor, where: Tensor) -> Tensor:
    return (each * where).sum() / where.sum().clamp(min=1)
