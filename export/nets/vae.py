"""The variational autoencoder whose reconstruction probability is the quality score `rp`.

Baert, Leroux and Simoens, "Intelligent Frame Selection as a Privacy-Friendlier Alternative to Face
Recognition" (2021): five convolution blocks, two linear heads; five transposed-convolution blocks,
two heads. The widths are ours: most parameters sit where a feature map is small, so that ten
decodes cost little.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

LATENT = 128
SAMPLES = 1
"""L. The mean of q(z|x) ranks faces as ten samples do; `export --samples` gives the paper's ten."""
SLOPE = 26 / 256
"""Of the leaky ReLU: the one slope that FPGA and DPU tool chains can build."""
SIGMA_FLOOR = 0.02
"""Five grey levels. Without a floor the likelihood has no bound (Mattei and Frellsen 2018)."""
ENCODER = (16, 32, 64, 160, 512)
DECODER = (384, 64, 48, 24, 16)
PIXELS = 64 * 64


class Reconstruction(NamedTuple):
    """What the decoder says of each pixel: a Gaussian."""

    mu: Tensor
    """``float [n, 1, 64, 64]``, mean, 0 to 1 is black to white."""
    log_var: Tensor
    """``float [n, 1, 64, 64]``, logarithm of the variance."""


class Vae(nn.Module):
    """Encoder and decoder; 3.3 M parameters, 12.8 and 21.3 MMACs a face."""

    def __init__(self) -> None:
        super().__init__()
        # [n, 1, 64, 64] -> [n, 512, 2, 2]
        widths = (1, *ENCODER)
        self.encoder = nn.Sequential(
            *(
                layer
                for c_in, c_out in pairwise(widths)
                for layer in (
                    nn.Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(c_out),
                    nn.LeakyReLU(SLOPE),
                )
            ),
            nn.Flatten(),
        )
        self.z_mu = nn.Linear(ENCODER[-1] * 4, LATENT)
        self.z_log_var = nn.Linear(ENCODER[-1] * 4, LATENT)
        # [n, 128, 1, 1] -> [n, 384, 4, 4] -> ... -> [n, 16, 64, 64]
        widths = (LATENT, *DECODER)
        self.decoder = nn.Sequential(
            *(
                layer
                for i, (c_in, c_out) in enumerate(pairwise(widths))
                for layer in (
                    nn.ConvTranspose2d(
                        c_in, c_out, 4, stride=2 if i else 1, padding=1 if i else 0, bias=False
                    ),
                    nn.BatchNorm2d(c_out),
                    nn.LeakyReLU(SLOPE),
                )
            )
        )
        self.x_mu = nn.Conv2d(DECODER[-1], 1, 1)
        self.x_log_var = nn.Conv2d(DECODER[-1], 1, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of z, ``[n, 128]`` each, for x ``float [n, 1, 64, 64]``."""
        h = self.encoder(x)
        return self.z_mu(h), self.z_log_var(h)

    def decode(self, z: Tensor) -> Reconstruction:
        """Return the Gaussian of each pixel for z ``float [n, 128]``."""
        h = self.decoder(z[:, :, None, None])
        return Reconstruction(self.x_mu(h), self.x_log_var(h).clamp(min=2 * math.log(SIGMA_FLOOR)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p(x|z) and KL(q(z|x) || N(0, I)), ``float [n]`` each, with one sample of z."""
        mu, log_var = self.encode(x)
        z = mu + torch.exp(log_var / 2) * torch.randn_like(mu)
        kl = (mu.square() + log_var.exp() - 1 - log_var).sum(1) / 2
        return log_likelihood(x, self.decode(z)), kl


def log_likelihood(x: Tensor, pixels: Reconstruction) -> Tensor:
    """Return log N(x | mu, sigma) summed over pixels: ``float [n]`` for x ``[n, 1, 64, 64]``."""
    squared = (x - pixels.mu).square() * torch.exp(-pixels.log_var)
    return -(squared + pixels.log_var).flatten(1).sum(1) / 2 - PIXELS / 2 * math.log(2 * math.pi)


def noise(seed: int, samples: int = SAMPLES) -> Tensor:
    """Return the latent noise ``float [samples, 128]`` that is a constant of the score graph.

    The samples are antithetic pairs scaled to unit variance in each dimension (Wu, Goodman and
    Ermon 2018, arXiv 1810.02555): ten of them stand for the normal distribution better than ten
    random ones.
    """
    if samples == 1:
        return torch.zeros(1, LATENT)  # the mean of q(z|x)
    generator = torch.Generator().manual_seed(seed)
    half = torch.randn((samples + 1) // 2, LATENT, generator=generator)
    both = torch.cat([half, -half])[:samples]
    return both / both.square().mean(0).sqrt()


class RpScore(nn.Module):
    """The score graph: crops to log RP, equation of An and Cho (2015).

    log RP = logsumexp over l of log N(x | mu_l, sigma_l), less log L; the encoder runs once.
    """

    def __init__(self, vae: Vae, seed: int, samples: int = SAMPLES) -> None:
        super().__init__()
        self.vae = vae
        self.noise: Tensor
        self.register_buffer("noise", noise(seed, samples))

    def pixels(self, crops: Tensor) -> tuple[Tensor, Reconstruction]:
        """Return x ``[n, 1, 4096]`` and the Gaussians of its pixels, ``[n, L, 4096]`` each."""
        x = crops.to(self.noise.dtype) / 255
        mu, log_var = self.vae.encode(x)
        z = mu[:, None] + torch.exp(log_var / 2)[:, None] * self.noise  # [n, l, 128]
        decoded = self.vae.decode(z.reshape(-1, LATENT))
        samples = len(self.noise)
        return x.reshape(-1, 1, PIXELS), Reconstruction(
            *(t.reshape(-1, samples, PIXELS) for t in decoded)
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Return log RP ``float [n]`` for crops ``uint8 [n, 1, 64, 64]``."""
        x, (mu, log_var) = self.pixels(crops)
        squared = (x - mu).square() * torch.exp(-log_var)
        each = -(squared + log_var).sum(2) / 2 - PIXELS / 2 * math.log(2 * math.pi)  # [n, l]
        log_rp: Tensor = torch.logsumexp(each, 1) - math.log(len(self.noise))
        return log_rp


class RpPixels(RpScore):
    """The second form of the score graph, for engines whose likelihood is a kernel of their own."""

    def forward(self, crops: Tensor) -> Reconstruction:  # type: ignore[override]
        """Return mu and log-variance ``float [n, L, 4096]`` for crops ``uint8 [n, 1, 64, 64]``."""
        return self.pixels(crops)[1]
