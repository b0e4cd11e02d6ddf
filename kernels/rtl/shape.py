"""The shape of the net that the engine runs: eight convolutions and two dense layers, as ten lines.

Two of the net's layers are rewritten, exactly, so that one loop serves all ten. The first 3x3
convolution of stride 2 over one channel is a 2x2 convolution of stride 1 over blocks of 2x2 pixels,
which fills the four input lanes. A dense layer is a convolution as large as its picture.
"""

from __future__ import annotations

from dataclasses import dataclass

CROP_PX = 64
INPUTS = 4
"""Input channels that are multiplied in one cycle; all of them lie in one word of memory."""
OUTPUTS = 32
"""Output channels that are multiplied in one cycle: one group."""


@dataclass(frozen=True)
class LayerShape:
    """A convolution with zero padding of one row and column, or none."""

    channels_in: int
    channels_out: int
    kernel: int
    stride: int
    padding: int
    """Zeros above and to the left; the zeros below and to the right follow from the sizes."""
    size_in: int
    """Height and width of the input."""
    size_out: int

    @property
    def padding_far(self) -> int:
        """Zeros below and to the right."""
        return max(0, (self.size_out - 1) * self.stride + self.kernel - self.padding - self.size_in)

    @property
    def words_in(self) -> int:
        """Words of :data:`INPUTS` channels that make one pixel of the input."""
        return self.channels_in // INPUTS

    @property
    def groups(self) -> int:
        """Groups of :data:`OUTPUTS` channels that make one pixel of the output."""
        return -(-self.channels_out // OUTPUTS)

    @property
    def words_out(self) -> int:
        """Words of :data:`INPUTS` channels that one group gives."""
        return -(-min(self.channels_out, OUTPUTS) // INPUTS)

    @property
    def weight_words(self) -> int:
        """Words of 32 x 4 weights."""
        return self.groups * self.kernel**2 * self.words_in

    def taps(self, at: int) -> range:
        """Return the kernel rows, or columns, on the picture for an output row, or column."""
        first = at * self.stride - self.padding
        return range(max(0, -first), min(self.kernel, self.size_in - first))

    @property
    def cycles(self) -> int:
        """Cycles that the array multiplies for one face, taps on the padding left out."""
        taps = [len(self.taps(at)) for at in range(self.size_out)]
        return (
            sum(
                max(rows * columns * self.words_in, self.words_out)
                for rows in taps
                for columns in taps
            )
            * self.groups
        )


LAYERS = (
    LayerShape(4, 16, 2, 1, 1, 32, 32),
    LayerShape(16, 32, 3, 2, 1, 32, 16),
    LayerShape(32, 32, 3, 1, 1, 16, 16),
    LayerShape(32, 64, 3, 2, 1, 16, 8),
    LayerShape(64, 64, 3, 1, 1, 8, 8),
    LayerShape(64, 96, 3, 2, 1, 8, 4),
    LayerShape(96, 96, 3, 1, 1, 4, 4),
    LayerShape(96, 128, 3, 2, 1, 4, 2),
    LayerShape(128, 64, 2, 1, 0, 2, 1),
    LayerShape(64, 1, 1, 1, 0, 1, 1),
)
