"""The networks of other face quality scores, with random weights: speed does not depend on weights.

Each is the body that its authors publish, and takes our crops: the 64x64 grey square is enlarged to
the size that the network wants and repeated for its three colours. That costs little beside the
network, and detection and alignment, which each method has too, cost nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

DROPOUT_PASSES = 100


@dataclass(frozen=True)
class Peer:
    """One method."""

    name: str
    side_px: int
    body: Callable[[], nn.Module]
    """Takes ``float32 [n, 3, side, side]``, gives one number a face."""
    note: str


class FromCrops(nn.Module):
    """A body behind the input of our score graphs: ``uint8 [n, 1, 64, 64]`` to ``float32 [n]``."""

    def __init__(self, body: nn.Module, side_px: int) -> None:
        super().__init__()
        self.body, self.side_px = body, side_px

    def forward(self, crops: Tensor) -> Tensor:
        """Return one number a crop."""
        x = (crops.float() - 127.5) / 128
        x = functional.interpolate(x, size=(self.side_px, self.side_px))
        score: Tensor = self.body(torch.cat([x, x, x], dim=1))  # [n, 1]
        return score.flatten()


def conv(
    into: int, out: int, size: int, stride: int = 1, groups: int = 1, act: nn.Module | None = None
) -> nn.Sequential:
    """Return a convolution that keeps the size, batch norm, and an activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(into, out, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    ]
    return nn.Sequential(*layers, *([act] if act else []))


class Residual(nn.Module):
    """``after(main(x) + short(x))``."""

    def __init__(
        self, main: nn.Module, short: nn.Module | None = None, after: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.main, self.short, self.after = main, short or nn.Identity(), after or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both ways."""
        y: Tensor = self.after(self.main(x) + self.short(x))
        return y


def stages(
    block: Callable[[int, int, int], nn.Module],
    widths: tuple[int, ...],
    depths: tuple[int, ...],
    strides: tuple[int, ...],
) -> list[nn.Module]:
    """Return the blocks of a residual network; ``widths`` starts with that of the stem."""
    return [
        block(widths[i] if k == 0 else widths[i + 1], widths[i + 1], strides[i] if k == 0 else 1)
        for i, depth in enumerate(depths)
        for k in range(depth)
    ]


def resnet50() -> nn.Module:
    """ResNet-50 (He et al. 2015) with one output: FaceQnet (Hernandez-Ortega et al. 2019)."""

    def bottleneck(into: int, out: int, stride: int) -> nn.Module:
        inner = out // 4
        main = nn.Sequential(
            conv(into, inner, 1, act=nn.ReLU()),
            conv(inner, inner, 3, stride, act=nn.ReLU()),
            conv(inner, out, 1),
        )
        return Residual(main, conv(into, out, 1, stride) if into != out else None, nn.ReLU())

    blocks = stages(bottleneck, (64, 256, 512, 1024, 2048), (3, 4, 6, 3), (1, 2, 2, 2))
    stem = (conv(3, 64, 7, 2, act=nn.ReLU()), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1))


def iresnet(depths: tuple[int, ...]) -> nn.Module:
    """The residual network of ArcFace (Deng et al. 2019, "IR"), up to the flat features."""

    def block(into: int, out: int, stride: int) -> nn.Module:
        main = nn.Sequential(
            nn.BatchNorm2d(into), conv(into, out, 3, act=nn.PReLU(out)), conv(out, out, 3, stride)
        )
        return Residual(main, conv(into, out, 1, stride) if stride > 1 else None)

    blocks = stages(block, (64, 64, 128, 256, 512), depths, (2, 2, 2, 2))
    return nn.Sequential(
        conv(3, 64, 3, act=nn.PReLU(64)), *blocks, nn.BatchNorm2d(512), nn.Flatten()
    )


def cr_fiqa_s() -> nn.Module:
    """CR-FIQA(S) (Boutros et al. 2023): iResNet-50, embedding, one output."""
    embedding = (nn.Linear(512 * 7 * 7, 512), nn.BatchNorm1d(512))
    return nn.Sequential(iresnet((3, 4, 14, 3)), *embedding, nn.Linear(512, 1))


class SerFiq(nn.Module):
    """SER-FIQ (Terhörst et al. 2020): how far the embeddings of 100 random dropouts are apart.

    The trunk runs once and dropout with the dense layer behind it 100 times, as the paper says is
    enough; its published code runs all of the network 100 times. The masks are constants here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = iresnet((3, 13, 30, 3))
        self.dense = nn.Linear(512 * 7 * 7, 512)
        shape = (DROPOUT_PASSES, 512 * 7 * 7)
        kept = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.5
        self.register_buffer("kept", kept.to(torch.uint8))
        self.kept: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return the score of each face."""
        flat = self.trunk(x)[:, None] * (2.0 * self.kept)  # [n, 100, 25088]
        e = functional.normalize(self.dense(flat), dim=-1)  # [n, 100, 512]
        squared = (2 - 2 * e @ e.transpose(1, 2)).clamp(min=1e-12)  # [n, 100, 100]
        return 2 * torch.sigmoid(-squared.sqrt().mean(dim=(1, 2)))


def inverted(
    into: int, inner: int, out: int, stride: int, act: Callable[[int], nn.Module]
) -> nn.Module:
    """Return an inverted residual: widen, filter each channel, narrow (Sandler et al. 2018)."""
    widen = [conv(into, inner, 1, act=act(inner))] if inner != into else []
    filters = conv(inner, inner, 3, stride, groups=inner, act=act(inner))
    main = nn.Sequential(*widen, filters, conv(inner, out, 1))
    return Residual(main) if stride == 1 and into == out else main


def mobilefacenet() -> nn.Module:
    """MobileFaceNet (Chen et al. 2018) with the head of eDifFIQA(T) (Babnik et al. 2024).

    The head's width makes the published 1.73 M parameters.
    """
    plan = [(64, 128, 64, 2)] + [(64, 128, 64, 1)] * 4
    plan += [(64, 256, 128, 2)] + [(128, 256, 128, 1)] * 6
    plan += [(128, 512, 128, 2)] + [(128, 256, 128, 1)] * 2
    return nn.Sequential(
        conv(3, 64, 3, 2, act=nn.PReLU(64)),
        conv(64, 64, 3, groups=64, act=nn.PReLU(64)),
        *(inverted(*block, nn.PReLU) for block in plan),
        conv(128, 512, 1, act=nn.PReLU(512)),
        nn.Conv2d(512, 512, 7, groups=512, bias=False),
        nn.BatchNorm2d(512),
        nn.Flatten(),
        nn.Linear(512, 512),
        nn.Linear(512, 1024),
        nn.ReLU(),
        nn.Linear(1024, 1),
    )


def lightqnet() -> nn.Module:
    """LightQNet (Chen et al. 2021): MobileNetV3-small, minimalistic, from its published graph."""
    plan = [(16, 16, 16, 2), (16, 72, 24, 2), (24, 88, 24, 1), (24, 96, 40, 2)]
    plan += [(40, 240, 40, 1)] * 2 + [(40, 120, 48, 1), (48, 144, 48, 1), (48, 288, 96, 2)]
    plan += [(96, 576, 96, 1)] * 2
    return nn.Sequential(
        conv(3, 16, 3, act=nn.ReLU()),
        *(inverted(*block, lambda _: nn.ReLU()) for block in plan),
        conv(96, 576, 1, act=nn.ReLU()),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(576, 1),
        nn.Sigmoid(),
    )


RANDOM = "random weights"
PEERS = (
    Peer("LightQNet", 96, lightqnet, f"MobileNetV3-small at 96 px, {RANDOM}"),
    Peer("eDifFIQA(T)", 112, mobilefacenet, f"MobileFaceNet at 112 px, {RANDOM}"),
    Peer("FaceQnet", 224, resnet50, f"ResNet-50 at 224 px, {RANDOM}"),
    Peer("CR-FIQA(S)", 112, cr_fiqa_s, f"iResNet-50 at 112 px, {RANDOM}"),
    Peer(
        "SER-FIQ",
        112,
        SerFiq,
        f"ResNet-100 at 112 px once, dropout and the last layer {DROPOUT_PASSES} times, {RANDOM}",
    ),
)


def build(peer: Peer) -> nn.Module:
    """Return a peer that takes our crops, with the same random weights each time."""
    torch.manual_seed(0)
    return FromCrops(peer.body(), peer.side_px).eval()
