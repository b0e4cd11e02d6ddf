"""Phase 2: with the critics frozen, what draws (U_e), what tells real from drawn (D_f), and U_d."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sealshot.export.deid import losses
from sealshot.export.deid.batches import Batch, Sampler
from sealshot.export.deid.codec import COARSEST, coded
from sealshot.export.deid.labels import UNKNOWN
from sealshot.export.deid.loop import descend, loop, restore, set_rate
from sealshot.export.deid.plan import Plan
from sealshot.export.deid.precision import quick
from sealshot.export.nets.deid import (
    CELLS,
    NOISE,
    OF_CODE,
    Drawing,
    Encoder,
    Given,
    Release,
    Reversible,
    Undo,
    latent,
)
from sealshot.export.nets.deid_judges import Critic, Patches
from sealshot.runtime.public.placing import SIDE_PX
from sealshot.runtime.public.square import ALPHA

AVERAGING = 0.998
WARM_RATE, RATE, RATE_OF_PATCHES = 1e-3, 4e-4, 4e-4
STEEP_EACH, STEEP_WEIGHT = 7, 0.5
HEEDED = 0.05
"""Share of the steps in which D_f comes to weigh what it is to."""
PENALTY_WEIGHT = 10.0
ASKED, KEPT = 0.6, 0.7
"""Share of the faces of which labels are asked for, and of their labels; the rest is left to
chance, as it is where nobody asks."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a step draws from, the same whenever the step is done again."""

    batch: Batch
    z: Tensor
    """``[2, n, 122]``: noise of two tracks."""
    known: Tensor
    """``[n, attributes]``: 1 and -1, 0 where it is left to chance; what nobody knows is taken from
    the reader, as it is where faces are drawn."""
    turned: Tensor
    """The same with all labels of some faces turned."""
    generator: torch.Generator


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Drawn faces."""

    faces: Tensor
    given: Given
    """What they were drawn from."""


class Operators:
    """The training of one U_e, with U_d where it is reversible."""

    def __init__(
        self, reader: Critic, critics: Sequence[Critic], sampler: Sampler, plan: Plan
    ) -> None:
        """Begin with untrained nets.

        Args:
            reader: tells labels, frozen; it becomes a part of what draws.
            critics: frozen; each step asks one, in turn.
            sampler: of faces, on the device of the others.
            plan: steps and weights.
        """
        self._sampler, self._plan, self._critics = sampler, plan, critics
        attributes = reader.heads.out_features
        torch.manual_seed(plan.seed)
        self.drawing = _drawing(reader, attributes, plan).to(sampler.device)
        if isinstance(self.drawing, Release):
            self.drawing.learn(*sampler.cells(CELLS))
        self._patches = Patches().to(sampler.device)
        self._beside = (Undo() if plan.reversible else Encoder()).to(sampler.device)
        self._trained = nn.ModuleList([self.drawing, self._beside])
        self._averaged = copy.deepcopy(self._trained).requires_grad_(False).eval()
        own = [p for p in self.drawing.parameters() if p.requires_grad]
        self._optimizer = torch.optim.Adam(
            [*own, *self._beside.parameters()], lr=WARM_RATE, betas=(0.5, 0.99)
        )
        self._of_patches = torch.optim.Adam(
            self._patches.parameters(), lr=RATE_OF_PATCHES, betas=(0.0, 0.99)
        )

    def begin(self, checkpoint: Path) -> None:
        """Begin with the nets of another training.

        Raises:
            InputError: the file is no checkpoint of such nets.
        """
        restore(checkpoint, self._nets())

    def train(self, checkpoint: Path, told: Mapping[str, Any]) -> None:
        """Do the steps that are left; ``told`` is kept beside the nets."""
        optimizers = {"optimizer": self._optimizer, "of patches": self._of_patches}
        parts = {**self._nets(), **optimizers}
        loop("operator", self._plan.steps, self._step, parts, asdict(self._plan), checkpoint, told)

    def _nets(self) -> dict[str, nn.Module]:
        return {
            "net": self.drawing,
            "beside": self._beside,
            "averaged": self.averaged,
            "averaged beside": self._averaged[1],
            "patches": self._patches,
        }

    @property
    def averaged(self) -> Drawing:
        """U_e, averaged over the last steps."""
        drawing = self._averaged[0]
        assert isinstance(drawing, Drawing)
        return drawing

    @property
    def undo(self) -> Undo | None:
        """U_d of the reversible pair, likewise."""
        beside = self._averaged[1]
        return beside if isinstance(beside, Undo) else None

    def _step(self, number: int) -> str:
        plan, asked = self._plan, self._asked(number)
        warm = isinstance(self._beside, Encoder) and number < plan.warm_up * plan.steps
        if not warm:
            set_rate(self._optimizer, RATE, number / plan.steps)
        if isinstance(self._beside, Encoder) and (warm or number % 2):
            drawn, loss = self._like(self._beside, asked, number)
        else:
            drawn, loss = self._of_nobody(asked, number)
        if number >= plan.warm_up * plan.steps / 2:  # D_f learns before anybody heeds it
            self._critique(asked.batch, drawn, number)
        if not warm:
            heed = heeded(number / plan.steps, plan.warm_up)
            loss = loss + plan.adversarial * heed * self._betrayed(asked.batch, drawn)
        descend(self._optimizer, loss)
        with torch.no_grad():
            share = max(1 - AVERAGING, 9 / (10 + number))  # first steps soon count no more
            pairs = zip(self._averaged.parameters(), self._trained.parameters(), strict=True)
            for kept, new in pairs:
                kept.lerp_(new, share)
            buffers = zip(self._averaged.buffers(), self._trained.buffers(), strict=True)
            for old, now in buffers:
                old.copy_(now)
        return f"loss {loss.item():.3f}"

    def _asked(self, number: int) -> _Asked:
        plan, on = self._plan, self._sampler.device
        batch = self._sampler.singles(number, plan.batch)
        generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + number)
        z = latent(torch.rand(2, plan.batch, NOISE, generator=generator)).to(on)
        asked = torch.rand(batch.labels.shape, generator=generator) < KEPT
        asked &= torch.rand(plan.batch, 1, generator=generator) < ASKED
        with torch.no_grad():
            read = torch.sign(quick(self.drawing.reader)(batch.faces)[1])
        signs = torch.where(batch.labels == UNKNOWN, read, 2.0 * batch.labels - 1)
        known = signs * asked.to(on)
        turn = torch.rand(plan.batch, 1, generator=generator).to(on) < (1 - KEPT)
        return _Asked(batch, z, known, torch.where(turn, -known, known), generator)

    def _like(self, encoder: Encoder, asked: _Asked, number: int) -> tuple[_Drawn, Tensor]:
        """Draw each face from its own code: it is to become that face."""
        plan, batch = self._plan, asked.batch
        mean, log_variance = quick(encoder)(batch.faces)
        code = mean + asked.z[0, :, OF_CODE] * (log_variance / 2).exp()
        made = quick(self.drawing.draw)(batch.faces, batch.landmarks, code, asked.known)
        critic = self._critics[number // 2 % len(self._critics)]
        loss = plan.likeness * nn.functional.l1_loss(made, batch.faces)
        loss = loss + plan.perceived * losses.perceived(critic, made, batch.faces)
        if isinstance(self.drawing, Release):
            self.drawing.heed(mean.detach(), log_variance.detach())
        drawn = _Drawn(made, Given(batch.faces, batch.landmarks, code))
        return drawn, loss + plan.code * losses.code(mean, log_variance)

    def _of_nobody(self, asked: _Asked, number: int) -> tuple[_Drawn, Tensor]:
        """Draw from noise; each second time ask for one person in a track, or for two."""
        plan, batch, half = self._plan, asked.batch, number // 2
        within = half % 2 == 0
        critic = self._critics[half // 2 % len(self._critics)]
        drawn = self._drawn(batch.faces, batch.landmarks, asked.z[0], asked.turned)
        made = drawn.faces
        some = slice(0, -(-plan.batch // 2))  # each step asks of half of them how they go on
        faces, landmarks, z = batch.faces[some], batch.landmarks[some], asked.z[1, some]
        if within:  # the same photo a little later: moved
            faces, z = faces.roll((1, 2), (2, 3)), asked.z[0, some]
            landmarks = landmarks + landmarks.new_tensor([2, 1])
        again = self._drawn(faces, landmarks, z, asked.turned[some]).faces
        with torch.no_grad():
            plain = quick(critic)(batch.faces)[0]
        seen, logits, points = quick(critic)(torch.cat([made, again]))
        seen, seen_later = seen.split([len(made), len(again)])
        wanted = torch.where(asked.turned == 0, UNKNOWN, (asked.turned > 0).int())
        loss = plan.anonymity * losses.other(critic, plain, seen)
        loss = loss + plan.attributes * losses.attributes(logits[: len(made)], wanted)
        loss = loss + plan.points * losses.placed(points[: len(made)], drawn.given.landmarks)
        loss = loss + plan.colours * losses.colours(made, drawn.given.faces)
        how, weight = (losses.same, plan.track) if within else (losses.other, plan.diversity)
        loss = loss + weight * how(critic, seen[some], seen_later)
        if isinstance(self._beside, Undo):
            step = COARSEST * torch.rand(plan.batch, generator=asked.generator)
            step[::4] = 0  # as many again without loss
            carried = coded(shown(made, batch.faces), step.to(made.device))
            undone = quick(self._beside.undo)(carried)
            loss = loss + plan.reconstruction * nn.functional.l1_loss(undone, batch.faces)
        return drawn, loss

    def _drawn(self, faces: Tensor, landmarks: Tensor, z: Tensor, wanted: Tensor) -> _Drawn:
        """Draw faces from noise."""
        given = self.drawing.given(faces, landmarks, z)
        return _Drawn(quick(self.drawing.draw)(*given, wanted), given)

    def _betrayed(self, batch: Batch, drawn: _Drawn) -> Tensor:
        """How far what is made is from looking real to D_f."""
        patches = quick(self._patches)
        seen: Tensor = patches(drawn.faces, drawn.given.landmarks)
        if self._plan.wasserstein:
            return -seen.mean()
        with torch.no_grad():
            real = patches(batch.faces, batch.landmarks)
        return losses.realer(seen, real)

    def _critique(self, batch: Batch, drawn: _Drawn, number: int) -> None:
        """Let D_f learn from one batch."""
        patches, faces, landmarks = quick(self._patches), batch.faces, batch.landmarks
        made, placed = drawn.faces.detach(), drawn.given.landmarks
        real, seen = patches(faces, landmarks), patches(made, placed)
        if self._plan.wasserstein:
            penalty = losses.gradient_penalty(self._patches, faces, made, (landmarks + placed) / 2)
            loss = seen.mean() - real.mean() + PENALTY_WEIGHT * penalty
        else:
            loss = losses.realer(real, seen)
            if number % STEEP_EACH == 0:
                half = len(faces) // 2  # R1 of one half, R2 of the other
                both = torch.cat([faces[:half], made[half:]])
                where = torch.cat([landmarks[:half], placed[half:]])
                penalty = losses.steep(self._patches, both, where)
                loss = loss + STEEP_WEIGHT * STEEP_EACH * penalty
        descend(self._of_patches, loss)


def heeded(done: float, warm_up: float) -> float:
    """Return how much D_f counts, 0 to 1, after a share of the steps: not before it has learnt."""
    return min(1.0, max(0.0, (done - warm_up) / HEEDED))


def shown(made: Tensor, faces: Tensor) -> Tensor:
    """Return what a stream shows of drawn faces: at the rim, what they were covered with before."""
    alpha = torch.from_numpy(ALPHA).to(made.device)
    cells = nn.functional.avg_pool2d(faces, SIDE_PX // CELLS)
    rim = nn.functional.interpolate(cells, size=(SIDE_PX, SIDE_PX), mode="bilinear")
    return rim + alpha * (made - rim)


def _drawing(reader: Critic, attributes: int, plan: Plan) -> Drawing:
    drawing = Reversible(attributes) if plan.reversible else Release(attributes)
    drawing.reader.load_state_dict(reader.state_dict())
    drawing.reader.requires_grad_(False)
    return drawing
