"""The nets of UU-Net (Proença 2020, arXiv 2007.04316), in the size of a camera.

- :class:`Release` is the U_e that ships. What it sees of a person is a handful of means: the face
  of the picture goes in as :data:`CELLS` x :data:`CELLS` cells, beside them where eyes, nose and
  mouth are, and of each label as much as is asked for. What it never sees it cannot show, whoever
  looks; the paper's sees all, and learns to hide it.
- :class:`Reversible` is the paper's U_e, and :class:`Undo` its U_d, which brings back what it can.

What judges them in training is in ``export/nets/deid_judges.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sealshot.export.nets.deid_judges import READER_WIDTH, SLOPE, Critic, block, spots
from sealshot.runtime.public.placing import LANDMARKS, SIDE_PX

CELLS = 4
MEANS = 3 * CELLS**2
"""Of the cells: Y, U, V of each."""
CODE = 64
"""Numbers that say what of a face its cells and landmarks do not."""
NOISE = MEANS + CODE + 2 * LANDMARKS
"""Numbers of U(0, 1) that a face is drawn from: the first move the means of its cells, the last its
landmarks."""
OF_CODE = slice(MEANS, MEANS + CODE)
"""Those that its code is drawn from."""
KEPT_ALL, KEPT_INNER, KEPT_OUTER = 0.35, 0.05, 0.1
"""How much of what is unusual in the light of a picture, and in the cells within the face and
around it, is left by noise."""
WIDE = 1.4
"""How much further out codes are drawn than those of real faces lie, that two tracks differ."""
NEW_CODES = 0.005
"""Share of the newest faces in what is known of codes."""
RIDGE = 1e-5
"""Of regressions on landmarks, of which -1 to 1 span the square."""
DEEP = 96
"""Channels of :class:`Release` where it is narrowest."""
LOGISTIC = 3**0.5 / torch.pi
"""Scale of the logistic distribution whose variance is 1."""


class Given(NamedTuple):
    """What a face is drawn from."""

    faces: Tensor
    """``float [n, 3, 64, 64]``, 0 to 1."""
    landmarks: Tensor
    """``float [n, 5, 2]``, pixels."""
    code: Tensor
    """``float [n, 64]``."""


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
            noise: ``float [n, 122]``, U(0, 1).
            control: ``float [n, attributes]``: 1 keeps a label, -1 turns it, 0 leaves it to chance.
        """
        faces, z = crops.to(landmarks.dtype) / 255, latent(noise)
        wanted = torch.sign(self.reader(faces)[1]) * control
        return to_bytes(self.draw(*self.given(faces, landmarks, z), wanted))

    def given(self, faces: Tensor, landmarks: Tensor, z: Tensor) -> Given:
        """Return what a track is drawn from; ``z`` is ``[n, 122]``, of mean 0 and variance 1."""
        return Given(faces, landmarks, z[:, OF_CODE])

    def draw(self, faces: Tensor, landmarks: Tensor, code: Tensor, wanted: Tensor) -> Tensor:
        """Return faces ``float [n, 3, 64, 64]``, 0 to 1.

        Args:
            faces: ``float [n, 3, 64, 64]``, 0 to 1.
            landmarks: ``float [n, 5, 2]``, pixels.
            code: ``float [n, 64]``.
            wanted: ``float [n, attributes]``: 1 and -1 ask for a label and for its absence.
        """
        raise NotImplementedError


class Release(Drawing):
    """Draws from means of cells; there is no way round them.

    Means and landmarks decide most of a drawing, so two tracks of one face would be alike whatever
    else their noise says. It moves both first, as those of real faces are spread and go with each
    other (:meth:`learn`): the means but for a part, the landmarks where that leaves yaw, pitch and
    roll as they are. Codes are spread as an :class:`Encoder`'s are: what is drawn from others looks
    painted.
    """

    code_mean: Tensor
    code_covariance: Tensor
    code_root: Tensor

    of_one: Tensor
    points_moved: Tensor
    usual: Tensor
    mean: Tensor
    by_points: Tensor
    kept: Tensor
    moved: Tensor

    def __init__(self, attributes: int) -> None:
        super().__init__(attributes)
        widths = (64, 40, 20)
        told = MEANS + CODE + attributes + 2 * LANDMARKS
        self.first = nn.Linear(told, DEEP * CELLS**2)
        beside = 3 + LANDMARKS
        sizes = list(zip((DEEP, *widths), widths, strict=False))
        self.ups = nn.ModuleList(_Told(before + beside, after, told) for before, after in sizes)
        self.again = nn.ModuleList(_Told(after, after, told) for _, after in sizes)
        self.last = nn.Conv2d(widths[-1], 3, 3, padding=1)
        self.register_buffer("code_mean", torch.zeros(CODE))
        self.register_buffer("code_covariance", torch.eye(CODE))
        self.register_buffer("code_root", torch.eye(CODE))
        self.register_buffer("usual", torch.zeros(2 * LANDMARKS))
        self.register_buffer("of_one", torch.zeros(2 * LANDMARKS, 2 * LANDMARKS))
        self.register_buffer("points_moved", torch.zeros(2 * LANDMARKS, 2 * LANDMARKS))
        self.register_buffer("mean", torch.full((MEANS,), 0.5))
        self.register_buffer("by_points", torch.zeros(2 * LANDMARKS, MEANS))
        self.register_buffer("kept", torch.eye(MEANS))
        self.register_buffer("moved", torch.zeros(MEANS, MEANS))

    def learn(self, cells: Tensor, landmarks: Tensor, turned: Tensor) -> None:
        """Learn how means of cells and landmarks of real faces go with each other and the pose.

        Of a face's cells :data:`KEPT_ALL`, :data:`KEPT_INNER` and :data:`KEPT_OUTER` are kept of
        what the landmarks do not explain, of the landmarks what goes with the pose; noise adds what
        then is missing in their covariance.

        Args:
            cells: ``float [n, 3, 4, 4]``, 0 to 1.
            landmarks: ``float [n, 5, 2]``.
            turned: ``float [n, 3]``: yaw, pitch and roll.
        """
        landmarks, cells, turned = landmarks.cpu(), cells.cpu(), turned.cpu()
        x, y = _centred(landmarks).double(), cells.flatten(1).double()
        x_mean, y_mean = x.mean(0), y.mean(0)
        x, y = x - x_mean, y - y_mean
        line = _line(x, y)
        left = y - x @ line
        covariance = left.T @ left / len(left)
        inner = torch.zeros(3, CELLS, CELLS, dtype=torch.float64)
        inner[:, 1:-1, 1:-1] = 1
        share = KEPT_OUTER + (KEPT_INNER - KEPT_OUTER) * inner.flatten()
        same = torch.full((CELLS**2, CELLS**2), 1 / CELLS**2, dtype=torch.float64)
        overall = torch.kron(torch.eye(3, dtype=torch.float64), same)  # mean over all cells
        kept = KEPT_ALL * overall + share[:, None] * (torch.eye(MEANS) - overall)
        self.mean.copy_(y_mean - x_mean @ line)
        self.by_points.copy_(line)
        self.kept.copy_(kept)
        self.moved.copy_(_root(covariance - kept @ covariance @ kept.T))
        to_pose = _line(x, turned.double() - turned.double().mean(0))
        pose = x @ to_pose
        of_one = torch.eye(2 * LANDMARKS) - to_pose @ torch.linalg.lstsq(pose, x).solution
        own = x @ of_one
        self.usual.copy_(x_mean)
        self.of_one.copy_(_line(x, own))  # of what aligned landmarks never do, nothing
        self.points_moved.copy_(_root(own.T @ own / len(own)))

    def heed(self, mean: Tensor, log_variance: Tensor) -> None:
        """Learn from some faces how codes are spread; both are ``[n, 64]``."""
        away = mean - self.code_mean
        spread = away.T @ away / len(mean) + torch.diag(log_variance.exp().mean(0))
        self.code_mean.lerp_(mean.mean(0), NEW_CODES)
        self.code_covariance.lerp_(spread, NEW_CODES)
        self.code_root.copy_(_root(self.code_covariance))

    def given(self, faces: Tensor, landmarks: Tensor, z: Tensor) -> Given:
        """See :meth:`Drawing.given`."""
        points = _centred(landmarks)
        noise = z[:, OF_CODE.stop :] @ self.points_moved.T
        placed = points - (points - self.usual) @ self.of_one + noise
        cells = functional.avg_pool2d(faces, SIDE_PX // CELLS).flatten(1)
        unusual = cells - self.mean - points @ self.by_points
        cells = self.mean + placed @ self.by_points + unusual @ self.kept.T
        cells = cells + z[:, :MEANS] @ self.moved.T
        cells = cells.clamp(0, 1).reshape(-1, 3, CELLS, CELLS)
        shown = functional.interpolate(cells, scale_factor=float(SIDE_PX // CELLS), mode="nearest")
        code = self.code_mean + WIDE * z[:, OF_CODE] @ self.code_root.T
        return Given(shown, (placed.reshape(-1, LANDMARKS, 2) + 1) * SIDE_PX / 2, code)

    def draw(self, faces: Tensor, landmarks: Tensor, code: Tensor, wanted: Tensor) -> Tensor:
        """See :meth:`Drawing.draw`."""
        cells = functional.avg_pool2d(faces, SIDE_PX // CELLS) - 0.5
        told = torch.cat([2 * cells.flatten(1), code, wanted, _centred(landmarks)], 1)
        x = self.first(told).reshape(-1, DEEP, CELLS, CELLS)
        size = CELLS
        for up, again in zip(self.ups, self.again, strict=True):
            size *= 2
            larger = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            covered = functional.interpolate(cells, size=(size, size), mode="bilinear")
            beside = torch.cat([covered, spots(landmarks, size)], 1).to(x.dtype)
            x = again(up(torch.cat([larger, beside], 1), told), told)
        covered = functional.interpolate(cells, size=(SIDE_PX, SIDE_PX), mode="bilinear")
        # four outputs a pixel, shuffled, cost as much and draw a grid
        larger = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return _changed(covered + 0.5, self.last(larger))


class _Told(nn.Module):
    """A convolution, and what the net is told as scale and shift of what it gives."""

    def __init__(self, c_in: int, c_out: int, told: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm = nn.GroupNorm(max(1, c_out // 8), c_out)
        self.told = nn.Linear(told, 2 * c_out)
        nn.init.normal_(self.told.weight, std=0.05)
        nn.init.zeros_(self.told.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.told(told)[:, :, None, None].chunk(2, 1)
        x = torch.addcmul(shift, self.norm(self.convolution(x)), 1 + scale)
        return functional.leaky_relu(x, SLOPE)


class Unet(nn.Module):
    """A U-Net on 64x64; what it is told goes in where it is narrowest."""

    def __init__(self, channels: int, told: int = 0, width: int = 8) -> None:
        super().__init__()
        w = [width, 2 * width, 4 * width, 7 * width, 7 * width]
        self.first = block(channels, w[0])
        self.down = nn.ModuleList(block(w[i], w[i + 1], stride=2) for i in range(4))
        self.middle = block(w[4] + told, w[4])
        self.up = nn.ModuleList(block(w[i + 1] + w[i], w[i]) for i in reversed(range(4)))
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
        self.net = Unet(4, CODE + attributes + 2 * LANDMARKS)

    def draw(self, faces: Tensor, landmarks: Tensor, code: Tensor, wanted: Tensor) -> Tensor:
        """See :meth:`Drawing.draw`."""
        side = round(CODE**0.5)
        fourth = code.reshape(-1, 1, side, side)
        fourth = functional.interpolate(fourth, size=(SIDE_PX, SIDE_PX), mode="nearest")
        told = torch.cat([code, wanted, _centred(landmarks)], 1)
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
            block(3, w, stride=2),
            block(w, 2 * w, stride=2),
            block(2 * w, 4 * w, stride=2),
            block(4 * w, 4 * w, stride=2),
            nn.Flatten(),
            nn.Linear(4 * w * 16, 2 * CODE),
        )

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and logarithms of variances, ``[n, 64]`` each."""
        mean, log_variance = self.body(4 * (faces - 0.5)).chunk(2, 1)
        return mean, log_variance.clamp(-8, 4)


def latent(noise: Tensor) -> Tensor:
    """Return U(0, 1) as numbers of mean 0 and variance 1 (logistic, about normal)."""
    return torch.logit(noise, eps=1 / 512) * LOGISTIC


def _centred(landmarks: Tensor) -> Tensor:
    """Return landmarks, -1 to 1 over the square, ``[n, 10]``."""
    return (landmarks * 2 / SIDE_PX - 1).flatten(1)


def _line(x: Tensor, y: Tensor) -> Tensor:
    """Return the regression of ``y`` on centred landmarks, which move in some ways alone."""
    ridge = RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    line: Tensor = torch.linalg.solve(x.T @ x + ridge, x.T @ y)
    return line


def _root(covariance: Tensor) -> Tensor:
    """Return the matrix that makes noise of variance 1 have a covariance."""
    variance, basis = torch.linalg.eigh(covariance)
    root: Tensor = basis * variance.clamp(min=0).sqrt()
    return root


def to_bytes(faces: Tensor) -> Tensor:
    """Return 0 to 1 as ``uint8``."""
    return (faces * 255 + 0.5).to(torch.uint8)


def _changed(faces: Tensor, change: Tensor) -> Tensor:
    """Return faces of 0 to 1, with a change of their logits."""
    return torch.sigmoid(torch.logit(faces, eps=0.02) + change)
