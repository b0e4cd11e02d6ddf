"""The nets of UU-Net (Proença 2020, arXiv 2007.04316), in the size of a camera.

- :class:`Release` is the U_e that ships. What it sees of a person is a handful of means: the face
  of the picture goes in as :data:`CELLS` x :data:`CELLS` cells, beside them where eyes, nose and
  mouth are, and of each label as much as is asked for. What it never sees it cannot show, whoever
  looks; the paper's sees all, and learns to hide it.
- :class:`Reversible` is the paper's U_e, and :class:`Undo` its U_d, which brings back what it can.
- :class:`Critic` is the pairwise matcher D_a, factorised: one embedding a picture, a pair is judged
  by the cosine of two, and the attributes are heads on it. :class:`PairCritic` is the paper's,
  which looks at two pictures at once.
- :class:`Patches` is D_f (PatchGAN), told where the landmarks are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX

CELLS = 4
NOISE = 64
"""Numbers of U(0, 1) that a face is drawn from."""
MOVED = 0.12, 0.03, 0.03
"""Standard deviations by which noise moves the means of a cell, Y, U and V, of 1."""
DEEP = 96
"""Channels of :class:`Release` where it is narrowest."""
SLOPE = 0.2
READER_WIDTH = 8
SPREAD_PX = 2.0
"""Standard deviation of the spot that says where a landmark is."""
LOGISTIC = 3**0.5 / torch.pi
"""Scale of the logistic distribution whose variance is 1."""


class Drawing(nn.Module):
    """U_e: faces of nobody from faces, landmarks, noise, and which labels are to stay."""

    def __init__(self, attributes: int) -> None:
        super().__init__()
        self.reader = Critic(attributes, colour=True, width=READER_WIDTH)
        """Says of a face what its labels are."""

    def forward(self, crops: Tensor, landmarks: Tensor, noise: Tensor, control: Tensor) -> Tensor:
        """Return faces ``uint8 [n, 3, 64, 64]``.

        Args:
            crops: ``uint8 [n, 3, 64, 64]``: Y, U, V.
            landmarks: ``float [n, 5, 2]``, pixels of the crop.
            noise: ``float [n, 64]``, U(0, 1).
            control: ``float [n, attributes]``: 1 keeps a label, -1 turns it, 0 leaves it to chance.
        """
        faces, z = crops.to(landmarks.dtype) / 255, latent(noise)
        wanted = torch.sign(self.reader(faces)[1]) * control
        return to_bytes(self.draw(self.given(faces, z), landmarks, z, wanted))

    def given(self, faces: Tensor, z: Tensor) -> Tensor:
        """Return what a track is drawn from, as faces; ``z`` is as :meth:`draw` takes it."""
        return faces

    def draw(self, faces: Tensor, landmarks: Tensor, z: Tensor, wanted: Tensor) -> Tensor:
        """Return faces ``float [n, 3, 64, 64]``, 0 to 1.

        Args:
            faces: ``float [n, 3, 64, 64]``, 0 to 1.
            landmarks: ``float [n, 5, 2]``, pixels.
            z: ``float [n, 64]``, of mean 0 and variance 1.
            wanted: ``float [n, attributes]``: 1 and -1 ask for a label and for its absence.
        """
        raise NotImplementedError


class Release(Drawing):
    """Draws from means of cells; there is no way round them.

    The means decide most of a drawing, so two tracks of one face would be alike whatever else their
    noise says: it moves the means first.
    """

    def __init__(self, attributes: int) -> None:
        super().__init__(attributes)
        widths = (64, 40, 20)
        told = 3 * CELLS**2 + NOISE + attributes + 2 * LANDMARKS
        self.first = nn.Linear(told, DEEP * CELLS**2)
        beside = 3 + LANDMARKS
        self.ups = nn.ModuleList(
            nn.Sequential(_block(before + beside, after), _block(after, after))
            for before, after in zip((DEEP, *widths), widths, strict=False)
        )
        self.last = nn.Conv2d(widths[-1], 3 * 4, 3, padding=1)

    def given(self, faces: Tensor, z: Tensor) -> Tensor:
        """See :meth:`Drawing.given`."""
        by = z[:, : 3 * CELLS**2].reshape(-1, 3, CELLS, CELLS) * z.new_tensor(MOVED)[:, None, None]
        cells = (functional.avg_pool2d(faces, SIDE_PX // CELLS) + by).clamp(0, 1)
        return functional.interpolate(cells, scale_factor=float(SIDE_PX // CELLS), mode="nearest")

    def draw(self, faces: Tensor, landmarks: Tensor, z: Tensor, wanted: Tensor) -> Tensor:
        """See :meth:`Drawing.draw`."""
        cells = functional.avg_pool2d(faces, SIDE_PX // CELLS) - 0.5
        told = [cells.flatten(1), z, wanted, (landmarks * 2 / SIDE_PX - 1).flatten(1)]
        x = self.first(torch.cat(told, 1)).reshape(-1, DEEP, CELLS, CELLS)
        size = CELLS
        for up in self.ups:
            size *= 2
            larger = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            covered = functional.interpolate(cells, size=(size, size), mode="bilinear")
            x = up(torch.cat([larger, covered, spots(landmarks, size)], 1))
        covered = functional.interpolate(cells, size=(SIDE_PX, SIDE_PX), mode="bilinear")
        return _changed(covered + 0.5, functional.pixel_shuffle(self.last(x), 2))


class Unet(nn.Module):
    """A U-Net on 64x64; what it is told goes in where it is narrowest."""

    def __init__(self, channels: int, told: int = 0, width: int = 8) -> None:
        super().__init__()
        w = [width, 2 * width, 4 * width, 7 * width, 7 * width]
        self.first = _block(channels, w[0])
        self.down = nn.ModuleList(_block(w[i], w[i + 1], stride=2) for i in range(4))
        self.middle = _block(w[4] + told, w[4])
        self.up = nn.ModuleList(_block(w[i + 1] + w[i], w[i]) for i in reversed(range(4)))
        self.last = nn.Conv2d(w[0], 3, 3, padding=1)

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        """Return ``float [n, 3, 64, 64]``; ``told`` is ``[n, told]``."""
        x = self.first(x)
        passed = []
        for down in self.down:
            passed.append(x)
            x = down(x)
        if told is not None:
            x = torch.cat([x, told[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
        x = self.middle(x)
        for up, skipped in zip(self.up, reversed(passed), strict=True):
            larger = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = up(torch.cat([larger, skipped], 1))
        out: Tensor = self.last(x)
        return out


class Reversible(Drawing):
    """The paper's: it sees all, and learns both to hide it and to leave a way back."""

    def __init__(self, attributes: int) -> None:
        super().__init__(attributes)
        self.net = Unet(4, NOISE + attributes + 2 * LANDMARKS)

    def draw(self, faces: Tensor, landmarks: Tensor, z: Tensor, wanted: Tensor) -> Tensor:
        """See :meth:`Drawing.draw`."""
        side = round(NOISE**0.5)
        fourth = z.reshape(-1, 1, side, side)
        fourth = functional.interpolate(fourth, size=(SIDE_PX, SIDE_PX), mode="nearest")
        told = torch.cat([z, wanted, (landmarks * 2 / SIDE_PX - 1).flatten(1)], 1)
        return _changed(faces, self.net(torch.cat([faces - 0.5, fourth], 1), told))


class Undo(nn.Module):
    """U_d: from drawn faces to what they were drawn of. Whoever has U_e can train one: no lock."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Unet(3)

    def forward(self, drawn: Tensor) -> Tensor:
        """Return faces ``uint8 [n, 3, 64, 64]`` of such."""
        return to_bytes(self.undo(drawn.to(torch.float32) / 255))

    def undo(self, drawn: Tensor) -> Tensor:
        """Do the same with 0 to 1."""
        return _changed(drawn, self.net(drawn - 0.5))


class Encoder(nn.Module):
    """What of a face its cells and landmarks do not tell, as a Gaussian; :class:`Release` learns
    with it what there is to draw, and is then given noise in its place."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = width
        self.body = nn.Sequential(
            _block(3, w, stride=2),
            _block(w, 2 * w, stride=2),
            _block(2 * w, 4 * w, stride=2),
            _block(4 * w, 4 * w, stride=2),
            nn.Flatten(),
            nn.Linear(4 * w * 16, 2 * NOISE),
        )

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and logarithms of variances, ``[n, 64]`` each."""
        mean, log_variance = self.body(4 * (faces - 0.5)).chunk(2, 1)
        return mean, log_variance.clamp(-8, 4)


class Critic(nn.Module):
    """D_a: is it one person, and what is said of each."""

    def __init__(self, attributes: int, *, colour: bool, width: int = 24) -> None:
        """Begin untrained.

        Args:
            attributes: number of heads.
            colour: False sees the brightness alone, evened out, so that no tint deceives it.
            width: channels of the first layer.
        """
        super().__init__()
        self.colour = colour
        w = width
        self.body = nn.Sequential(
            _block(3 if colour else 1, w, stride=2),
            _block(w, 2 * w, stride=2),
            _block(2 * w, 2 * w),
            _block(2 * w, 4 * w, stride=2),
            _block(4 * w, 4 * w),
            _block(4 * w, 8 * w, stride=2),
            nn.Flatten(),
        )
        self.embedding = nn.Linear(8 * w * 16, 128)
        self.heads = nn.Linear(8 * w * 16, attributes)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.bias = nn.Parameter(torch.tensor(-4.0))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings ``[n, 128]`` of length 1 and logits ``[n, attributes]``.

        Args:
            faces: ``float [n, 3, 64, 64]``, 0 to 1.
        """
        features = self.body(self._input(faces))
        return functional.normalize(self.embedding(features)), self.heads(features)

    def features(self, faces: Tensor) -> list[Tensor]:
        """Return what its layers before the last see, from fine to coarse."""
        x, seen = self._input(faces), []
        for layer in list(self.body)[:-2]:
            x = layer(x)
            seen.append(x)
        return seen

    def same(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the logit that two embeddings are of one person; broadcasts."""
        return self.scale.exp() * (left * right).sum(-1) + self.bias

    def _input(self, faces: Tensor) -> Tensor:
        if self.colour:
            return 4 * (faces - 0.5)
        luma = faces[:, :1]
        spread = luma.std((1, 2, 3), keepdim=True) + 0.02
        return (luma - luma.mean((1, 2, 3), keepdim=True)) / spread


class PairCritic(nn.Module):
    """D_a as in the paper's Table I, one net for all traits: do two pictures share them."""

    def __init__(self, attributes: int) -> None:
        """Begin untrained.

        Args:
            attributes: number of labels, beside the identity.
        """
        super().__init__()
        layers = ((6, 16, 2), (16, 64, 1), (64, 128, 1), (128, 64, 2), (64, 64, 2), (64, 64, 2))
        self.body = nn.Sequential(
            *(_block(c_in, c_out, stride) for c_in, c_out, stride in layers),
            nn.Flatten(),
            nn.Linear(64 * CELLS**2, 128),
            nn.LeakyReLU(SLOPE),
            nn.Linear(128, 1 + attributes),
        )

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return logits ``[n, 1 + attributes]`` that two faces are of one person, and that each
        label is the same; faces are ``float [n, 3, 64, 64]``, 0 to 1."""
        out: Tensor = self.body(4 * (torch.cat([left, right], 1) - 0.5))
        return out


class Patches(nn.Module):
    """D_f: which patches of a face look real."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = width
        self.body = nn.Sequential(
            nn.Conv2d(3 + LANDMARKS, w, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
            _block(w, 2 * w, stride=2),
            _block(2 * w, 4 * w, stride=2),
            nn.Conv2d(4 * w, 1, 3, padding=1),
        )

    def forward(self, faces: Tensor, landmarks: Tensor) -> Tensor:
        """Return a logit of each patch, ``[n, 1, 8, 8]``, of faces from 0 to 1."""
        out: Tensor = self.body(torch.cat([2 * faces - 1, spots(landmarks)], 1))
        return out


def latent(noise: Tensor) -> Tensor:
    """Return U(0, 1) as numbers of mean 0 and variance 1 (logistic, about normal)."""
    return torch.logit(noise, eps=1 / 512) * LOGISTIC


def to_bytes(faces: Tensor) -> Tensor:
    """Return 0 to 1 as ``uint8``."""
    return (faces * 255 + 0.5).to(torch.uint8)


def spots(landmarks: Tensor, size: int = SIDE_PX) -> Tensor:
    """Return a channel for each landmark, ``[n, 5, size, size]``, with a spot where it is."""
    step = SIDE_PX / size
    at = (torch.arange(size, dtype=landmarks.dtype, device=landmarks.device) + 0.5) * step
    off = (at - landmarks[..., None]) / max(SPREAD_PX, step)  # [n, 5, 2, size]
    near = torch.exp(-off.square() / 2)
    return near[:, :, 1, :, None] * near[:, :, 0, None, :]


def _changed(faces: Tensor, change: Tensor) -> Tensor:
    """Return faces of 0 to 1, with a change of their logits."""
    return torch.sigmoid(torch.logit(faces, eps=0.02) + change)


def _block(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride, 1),
        nn.GroupNorm(max(1, c_out // 8), c_out),
        nn.LeakyReLU(SLOPE),
    )
