"""A picture in fewer bytes, and not a pixel changed: for lines that are slower than the engine.

Each pixel is foretold from its neighbours to the left (W), above (N) and above left (NW) as in
LOCO-I (Weinberger, Seroussi and Sapiro 2000): min(W, N) where NW is above both, max(W, N) where it
is below both, else W + N - NW. In the first row N and NW are W, in the first column W and NW are N,
and the first pixel is foretold as 0. The error modulo 256, from -128 to 127, is counted as 0, -1,
1, -2, ... and written as a Rice code. Bits go into a byte from the lowest up; a row is::

    k, 3 bits, lowest first; then for each of its 64 numbers u: u >> k ones, a zero, the k low bits
    of u, lowest first
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealshot.kernels.rtl.shape import CROP_PX

K_BITS = 3
Pixels = NDArray[np.uint8]


def pack(crop: Pixels) -> bytes:
    """Return a picture ``uint8 [64, 64]`` in as many bytes as it takes; noise takes 4,632 at most.

    `unpacker.py` undoes it in hardware, :func:`unpack` here.
    """
    numbers = _numbers(crop)
    costs = np.stack([(numbers >> k).sum(1) + (k + 1) * CROP_PX for k in range(1 << K_BITS)])
    k = np.broadcast_to(costs.argmin(0)[:, None], numbers.shape)
    ones = numbers >> k
    bits = ones + 1 + k
    bits[:, 0] += K_BITS
    ends = np.cumsum(bits).reshape(bits.shape)
    zeros = ends - 1 - k
    marks = np.zeros(ends[-1, -1] + 1, np.int8)  # up where ones begin, down where they end
    np.add.at(marks, zeros - ones, 1)
    np.add.at(marks, zeros, -1)
    stream = np.cumsum(marks[:-1], dtype=np.int8).astype(np.uint8)
    for bit in range(int(k.max())):
        coded = k > bit
        stream[zeros[coded] + 1 + bit] = numbers[coded] >> bit & 1
    for bit in range(K_BITS):
        stream[ends[:, 0] - bits[:, 0] + bit] = k[:, 0] >> bit & 1
    return np.packbits(stream, bitorder="little").tobytes()


def unpack(packed: bytes) -> Pixels:
    """Return the picture ``uint8 [64, 64]``, pixel by pixel as the hardware does.

    Raises:
        ValueError: the bytes end before the picture does.
    """
    bits = iter(np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little").tolist())
    picture = np.zeros((CROP_PX, CROP_PX), np.uint8)
    try:
        for y in range(CROP_PX):
            k = sum(next(bits) << i for i in range(K_BITS))
            for x in range(CROP_PX):
                ones = 0
                while next(bits):
                    ones += 1
                u = (ones << k | sum(next(bits) << i for i in range(k))) & 255
                error = ~(u >> 1) if u & 1 else u >> 1
                picture[y, x] = (_foretold(picture, y, x) + error) & 255
    except (StopIteration, RuntimeError):
        raise ValueError("the picture is not whole") from None
    return picture


def _numbers(crop: Pixels) -> NDArray[np.int64]:
    """Return the errors of all pixels as numbers from 0 to 255, ``[64, 64]``."""
    x = crop.astype(np.int64)
    w, n, nw = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    w[:, 1:], n[1:], nw[1:, 1:] = x[:, :-1], x[:-1], x[:-1, :-1]
    w[1:, 0] = nw[1:, 0] = x[:-1, 0]
    n[0] = nw[0] = w[0]
    least, most = np.minimum(w, n), np.maximum(w, n)
    foretold = np.where(nw >= most, least, np.where(nw <= least, most, w + n - nw))
    error = ((x - foretold + 128) & 255) - 128
    return np.asarray(np.where(error < 0, -2 * error - 1, 2 * error))


def _foretold(picture: Pixels, y: int, x: int) -> int:
    if y == 0:
        return int(picture[0, x - 1]) if x else 0
    n = int(picture[y - 1, x])
    if x == 0:
        return n
    w, nw = int(picture[y, x - 1]), int(picture[y - 1, x - 1])
    return min(w, n) if nw >= max(w, n) else max(w, n) if nw <= min(w, n) else w + n - nw
