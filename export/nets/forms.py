"""The score `rp` in the forms that run fastest: exact rewritings of the trained model.

All forms compute :class:`~sealshot.export.nets.vae.RpScore`; only the order of roundings differs.

- Both heads of a pair are one layer. The first transposed convolution sees one pixel, so it is a
  linear layer whose weights are read once for all latent samples.
- A transposed convolution of kernel 4 and stride 2 is a 2x2 convolution on a grid that is one
  pixel larger and gives the four phases of the output as channels, put in place by a
  depth-to-space (the sub-pixel form of Shi et al. 2016, arXiv 1609.05158).
- What follows the last of them works pixel by pixel, and the likelihood sums over pixels: so the
  phases are never put in place. The crop is read in the order of the phases instead.
- With s = sqrt(2) sigma and a = -log s, log N(x | mu, sigma) = a - ((x - mu) / s)^2 - log(pi) / 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from sealshot.export.nets.vae import DECODER, LATENT, PIXELS, SIGMA_FLOOR, SLOPE, RpScore, Vae

PHASES = 4
GRID = 33
"""Rows of the sub-pixel grid of the 64x64 output: its border holds phases outside the picture."""
LOG_ROOT_2 = math.log(2) / 2


def phase_weights(weight: Tensor) -> Tensor:
    """Return the 2x2 convolutions of a transposed one (kernel 4, stride 2, padding 1).

    Output row 2p - 1 + a of the transposed convolution reads input row p - 1 through kernel row
    2 + a and input row p through kernel row a; columns likewise.

    Args:
        weight: ``[in, out, 4, 4]``.

    Returns:
        ``[2, 2, out, in, 2, 2]``: phase of the row, of the column, and a convolution's weights.
    """
    # kernel row 2 * (1 - r) + a is row r of the 2x2 kernel of phase a
    parts = weight.reshape(*weight.shape[:2], 2, 2, 2, 2).flip(2, 4)  # [in, out, r, a, c, b]
    return parts.permute(3, 5, 1, 0, 2, 4).contiguous()


def transposed_weight(phases: Tensor) -> Tensor:
    """Undo :func:`phase_weights`: ``[2, 2, out, in, 2, 2]`` -> ``[in, out, 4, 4]``."""
    parts = phases.permute(3, 2, 4, 0, 5, 1).flip(2, 4)
    return parts.flatten(4, 5).flatten(2, 3).contiguous()


def in_phases(images: Tensor) -> Tensor:
    """Return images ``[n, 64, 64]`` as ``[n, 2, 2, 33, 33]``; 0 where a phase lies outside."""
    parts: Tensor = pad(images, (1, 1, 1, 1)).reshape(-1, GRID, 2, GRID, 2)
    return parts.permute(0, 2, 4, 1, 3)


class FastRp(nn.Module):
    """A form of `rp`: the parts that all forms share.

    Args:
        folded: the score graph with its batch norms folded.
        phases_last: how :meth:`gaussians` orders the 4356 places of the grid: row, column, phase;
            else phase, row, column.
    """

    def __init__(self, folded: RpScore, phases_last: bool) -> None:
        super().__init__()
        vae: Vae = folded.vae
        self.encoder = vae.encoder
        # [n, 2048] -> mu and log sigma of z
        self.latent = _joined(vae.z_mu, vae.z_log_var, 0.5)
        self.noise: Tensor
        self.register_buffer("noise", folded.noise)
        places = in_phases(torch.arange(1, PIXELS + 1.0).reshape(1, 64, 64))[0]  # 0 is outside
        if phases_last:
            places = places.permute(2, 3, 0, 1)
        places = places.flatten().long()
        self.pixel: Tensor
        self.register_buffer("pixel", (places - 1).clamp(min=0))
        self.inside: Tensor
        self.register_buffer("inside", (places > 0).float()[:, None])

    def latents(self, x: Tensor) -> Tensor:
        """Return z ``[n * L, 128]`` for x ``float [n, 1, 64, 64]``."""
        mu, log_sigma = self.latent(self.encoder(x))[:, None].split(LATENT, 2)  # [n, 1, 128]
        z: Tensor = mu + torch.exp(log_sigma) * self.noise  # [n, l, 128]
        return z.reshape(-1, LATENT)

    def gaussians(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and -log s ``[n, L, 4356]`` for z ``[n * L, 128]``, before the floor."""
        raise NotImplementedError

    def forward(self, crops: Tensor) -> Tensor:
        """Return log RP ``float [n]`` for crops ``uint8 [n, 1, 64, 64]``."""
        exact = self.inside.dtype  # of the likelihood, whatever the network computes in
        x = crops.to(exact) / 255
        z = self.latents(x.to(self.latent.weight.dtype))
        mu, a = (t.to(exact) for t in self.gaussians(z))
        a = a.clamp(max=-math.log(SIGMA_FLOOR) - LOG_ROOT_2)
        pixels = x.flatten(1).index_select(1, self.pixel)[:, None]  # [n, 1, 4356]
        each = a - ((pixels - mu) * torch.exp(a)).square()
        samples = len(self.noise)
        # a matrix product sums over the pixels of the picture and leaves out the border
        each = (each.reshape(-1, PHASES * GRID**2) @ self.inside).reshape(-1, samples)
        top = each.amax(1, keepdim=True)  # not logsumexp: not every engine keeps it finite
        log_sum = torch.log(torch.exp(each - top).sum(1, keepdim=True))
        score: Tensor = top + log_sum - (PIXELS / 2 * math.log(math.pi) + math.log(samples))
        return score[:, 0]


class FloatRp(FastRp):
    """The form for float32 and float16.

    The first of the middle layers stays a transposed convolution: on a map of 4x4 the grid of the
    sub-pixel form costs half as much again.
    """

    def __init__(self, folded: RpScore) -> None:
        super().__init__(folded, phases_last=False)
        first, self.second, *middle, last = _transposed(folded.vae)
        self.first = nn.Linear(LATENT, DECODER[0] * 16)  # -> [384, 4, 4]
        self.first.weight.data = first.weight.data.flatten(1).T.contiguous()
        self.first.bias.data = _bias(first).repeat_interleave(16)
        self.act = nn.LeakyReLU(SLOPE)
        self.ups = nn.Sequential(*map(_Up, middle))
        weight = phase_weights(last.weight.data)
        self.last = _conv(weight.flatten(0, 2), _bias(last).repeat(PHASES), padding=1)
        head, bias = _phase_head(folded.vae)
        self.head = _conv(head[:, :, None, None], bias)

    def gaussians(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`FastRp.gaussians`."""
        h = self.act(self.first(z)).reshape(-1, DECODER[0], 4, 4)
        h = self.ups(self.act(self.second(h)).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        h = self.head(self.act(self.last(h)))  # [n * l, 8, 33, 33]
        both = h.reshape(-1, len(self.noise), 2, PHASES * GRID**2)
        return both[:, :, 0], both[:, :, 1]


class Int8Rp(FastRp):
    """The form for int8: convolutions only, channels last.

    Each convolution stands between a pair of transpositions that an engine takes out again, so
    that its int8 kernels, which want channels last, work without copies.

    A leaky ReLU on int8 is a table look-up, as dear as a convolution where the map is large. After
    the last convolution there is none: leaky(y) = (1 - slope) relu(y) + slope y, a ReLU costs
    nothing, and what the head makes of y is linear in the input of the convolution, so that the
    convolution gives it as eight channels more. They are shifted and scaled to lie in the range
    of the others: one range and no ReLU but on y.
    """

    MARGIN = 1.6
    """Of the range of the linear channels over what was seen."""

    def __init__(self, folded: RpScore, crops: Tensor) -> None:
        super().__init__(folded, phases_last=True)
        first, second, *middle, last = _transposed(folded.vae)
        self.first = nn.Linear(LATENT, DECODER[0] * 16)  # -> [4, 4, 384]
        self.first.weight.data = first.weight.data.permute(2, 3, 1, 0).flatten(0, 2).contiguous()
        self.first.bias.data = _bias(first).repeat(16)
        self.act = nn.LeakyReLU(SLOPE)
        self.ups = nn.ModuleList([_SmallUp(second), *(_Up(layer) for layer in middle)])
        vae = folded.vae
        weight, bias = phase_weights(last.weight.data).flatten(0, 2), _bias(last).repeat(PHASES)
        head, head_bias = _phase_head(vae)
        linear, shift = torch.einsum("oc,cikl->oikl", head, weight), head @ bias
        seen = []
        with torch.no_grad():
            for part in torch.split(crops, 16):
                h = self.decode(self.latents(part.to(self.noise.dtype) / 255)).permute(0, 3, 1, 2)
                channels = conv2d(h, linear, padding=1).transpose(0, 1).flatten(1)  # [8, ...]
                top = conv2d(h, weight, bias, padding=1).amax().expand(len(linear))
                seen.append(torch.stack([channels.amin(1), channels.amax(1), top]))
        low, high = torch.stack(seen)[:, 0].amin(0), torch.stack(seen)[:, 1].amax(0)
        margin = (self.MARGIN - 1) / 2 * (high - low)
        low, high = low - margin, high + margin
        scale = torch.stack(seen)[:, 2].amax() / (high - low)
        self.last = _conv(
            torch.cat([weight, linear * scale[:, None, None, None]]),
            torch.cat([bias, -low * scale]),
            padding=1,
        )
        self.head = nn.Linear(len(bias) + len(low), len(low))
        self.head.weight.data = torch.cat([(1 - SLOPE) * head, torch.diag(SLOPE / scale)], 1)
        self.head.bias.data = head_bias + SLOPE * (low + shift)

    def decode(self, z: Tensor) -> Tensor:
        """Return what the last convolution sees, ``[n * L, 32, 32, 24]``."""
        h = self.act(self.first(z)).reshape(-1, 4, 4, DECODER[0])
        for up in self.ups:
            h = up(h)
        out: Tensor = h
        return out

    def gaussians(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`FastRp.gaussians`."""
        h = torch.relu(self.last(self.decode(z).permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        h = self.head(h.reshape(-1, self.last.out_channels))
        both = h.reshape(-1, len(self.noise), GRID**2, 2, PHASES)
        size = (-1, len(self.noise), PHASES * GRID**2)
        return both[:, :, :, 0].reshape(size), both[:, :, :, 1].reshape(size)


class _Up(nn.Module):
    """A transposed convolution and its activation as one convolution: ``[n, h, h, in]``."""

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        weight = phase_weights(layer.weight.data).flatten(0, 2)
        self.conv = _conv(weight, _bias(layer).repeat(PHASES), padding=1)
        self.act = nn.LeakyReLU(SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, 2 * h, 2 * h, out]``."""
        grid = int(x.shape[1]) + 1
        out = self.conv.out_channels // PHASES
        y = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        y = y.reshape(-1, grid, grid, 2, 2 * out).permute(0, 1, 3, 2, 4)  # to [n, i, a, j, b * out]
        y = y.reshape(-1, 2 * grid, 2 * grid, out)[:, 1:-1, 1:-1]
        activated: Tensor = self.act(y)
        return activated


class _PaddedConv(torch.autograd.Function):
    """A 2x2 convolution with one row and one column of zeros: PyTorch can only pad all sides."""

    @staticmethod
    def forward(
        _context: Any, x: Tensor, weight: Tensor, bias: Tensor, top: int, left: int
    ) -> Tensor:
        return conv2d(pad(x, (left, 1 - left, top, 1 - top)), weight, bias)

    @staticmethod
    def symbolic(graph: Any, x: Any, weight: Any, bias: Any, top: int, left: int) -> Any:
        pads = [top, left, 1 - top, 1 - left]
        return graph.op("Conv", x, weight, bias, kernel_shape_i=[2, 2], pads_i=pads)


_padded_conv: Callable[[Tensor, Tensor, Tensor | None, int, int], Tensor] = _PaddedConv.apply


class _SmallUp(nn.Module):
    """The same as four convolutions, none of which computes what lies outside.

    On a map of 4x4 the larger grid of :class:`_Up` costs half as much again.
    """

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        weight, bias = phase_weights(layer.weight.data), _bias(layer)
        # output row 2p is phase 1 of grid row p, row 2p + 1 phase 0 of grid row p + 1
        self.convs = nn.ModuleList(
            _conv(weight[1 - a, 1 - b], bias) for a in (0, 1) for b in (0, 1)
        )
        self.out_channels = layer.out_channels
        self.act = nn.LeakyReLU(SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, 2 * h, 2 * h, out]`` for ``[n, h, h, in]``."""
        size, out = int(x.shape[1]), self.out_channels
        convs = [m for m in self.convs if isinstance(m, nn.Conv2d)]
        x = x.permute(0, 3, 1, 2)
        rows = []
        for a, pair in enumerate((convs[:2], convs[2:])):
            row = [
                _padded_conv(x, conv.weight, conv.bias, 1 - a, 1 - b).permute(0, 2, 3, 1)
                for b, conv in enumerate(pair)
            ]  # [n, h, h, out]
            rows.append(torch.cat(row, 3).reshape(-1, size, 1, 2 * size * out))
        y = torch.cat(rows, 2).reshape(-1, 2 * size, 2 * size, out)
        activated: Tensor = self.act(y)
        return activated


def _transposed(vae: Vae) -> list[nn.ConvTranspose2d]:
    return [m for m in vae.decoder if isinstance(m, nn.ConvTranspose2d)]


def _bias(layer: nn.ConvTranspose2d) -> Tensor:
    if layer.bias is None:
        raise ValueError("the batch norms are not folded")
    return layer.bias.data


def _conv(weight: Tensor, bias: Tensor, padding: int = 0) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=padding)
    layer.weight.data, layer.bias = weight.contiguous(), nn.Parameter(bias.clone())
    return layer


def _joined(first: nn.Linear, second: nn.Linear, factor: float) -> nn.Linear:
    """Both layers as one; the second's output times ``factor``."""
    layer = nn.Linear(first.in_features, first.out_features + second.out_features)
    layer.weight.data = torch.cat([first.weight.data, second.weight.data * factor])
    layer.bias.data = torch.cat([first.bias.data, second.bias.data * factor])
    return layer


def _phase_head(vae: Vae) -> tuple[Tensor, Tensor]:
    """Both heads on four phases at once: weights ``[8, 64]``, bias ``[8]``; mu, then -log s."""
    phases = torch.eye(PHASES, dtype=vae.x_mu.weight.dtype)
    mu, log_var = (m.weight.data.flatten(1) for m in (vae.x_mu, vae.x_log_var))  # [1, 16]
    weight = torch.cat([torch.kron(phases, mu), torch.kron(phases, -log_var / 2)])
    biases = vae.x_mu.bias, vae.x_log_var.bias
    if biases[0] is None or biases[1] is None:
        raise ValueError("the heads have no bias")
    bias = torch.cat([biases[0].data, -biases[1].data / 2 - LOG_ROOT_2])
    return weight, bias.repeat_interleave(PHASES)
