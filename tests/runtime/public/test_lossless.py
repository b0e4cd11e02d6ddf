"""Pieces coded without loss: bit for bit, each alone, also those of the format before."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from sealshot.runtime.public.cover import Plane
from sealshot.runtime.public.lossless import coded, pieces_of
from sealshot.runtime.public.originals import MOST_BLOCKS, cut_out, digest, pieces_in, put_back
from sealshot.runtime.public.picture import PLANAR, TEN_BITS, frame_of
from sealshot.runtime.seal.originals import FORMAT, FORMAT_OF_VIDEO, Originals, Piece

WIDTH, HEIGHT = 75, 53
BOXES = ((1, 1, 2, 1), (4, 3, 1, 1), (0, 0, 5, 4), (1, 1, 2, 1))
"""The second and third reach to where the picture ends, in the midst of a block."""


def noise(pixels: str) -> list[Plane]:
    rng, high = np.random.default_rng(1), 1024 if pixels.endswith(TEN_BITS) else 256
    frame = av.VideoFrame(WIDTH, HEIGHT, pixels)
    return [
        rng.integers(0, high, (plane.height, plane.width)).astype("u2" if high > 256 else "u1")
        for plane in frame.planes
    ]


def part(pixels: str, pieces: list[Piece], data: bytes, format: int) -> Originals:
    return Originals("5f" * 16, 0, (1,), WIDTH, HEIGHT, pixels, tuple(pieces), data, format)


def check(originals: Originals, planes: list[Plane]) -> None:
    shown = [np.zeros_like(plane) for plane in planes]
    for piece, cut in zip(originals.pieces, pieces_of(originals), strict=True):
        assert digest(cut) == piece.sha256
        put_back(shown, piece.box, np.ones((piece.box[3], piece.box[2]), bool), cut)
    for plane, back in zip(planes, shown, strict=True):
        assert np.array_equal(plane, back)


@pytest.mark.parametrize("pixels", PLANAR)
def test_what_is_coded_comes_back_in_every_format(pixels: str) -> None:
    planes, pieces, data = noise(pixels), [], b""
    for number, box in enumerate(BOXES):
        cut = cut_out(planes, box, np.ones((box[3], box[2]), bool))
        one = coded(cut, pixels)
        pieces.append(Piece(number, 0.0, box, "", digest(cut), len(one)))
        data += one
    check(part(pixels, pieces, data, FORMAT), planes)
    # the last has what the first has, and nothing of those between them
    assert data.startswith(data[-pieces[-1].coded_bytes :])


@pytest.mark.parametrize("pixels", PLANAR)
def test_the_video_of_format_1_comes_back(pixels: str) -> None:
    planes, pieces, file = noise(pixels), [], io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=25, options={"level": "1", "g": "300"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 80, pixels
        places = av.VideoFrame(96, 80, pixels).planes
        canvas = [np.zeros((place.height, place.width), planes[0].dtype) for place in places]
        for number, box in enumerate(BOXES):
            cut = cut_out(planes, box, np.ones((box[3], box[2]), bool))
            whole = [plane.copy() for plane in canvas]
            for plane, shown in zip(whole, cut, strict=True):
                plane[: shown.shape[0], : shown.shape[1]] = shown
            container.mux(stream.encode(frame_of(whole, pixels)))
            pieces.append(Piece(number, 0.0, box, "", digest(cut)))
        container.mux(stream.encode(None))
    check(part(pixels, pieces, file.getvalue(), FORMAT_OF_VIDEO), planes)


ONE = coded(cut_out(noise("yuv420p"), BOXES[0], np.ones((1, 2), bool)), "yuv420p")


@pytest.mark.parametrize("data", [b"", b"\0" * 9, b"\xff" * 400, ONE[:-20], ONE])
def test_what_is_damaged_or_of_another_size_is_an_error_or_not_what_its_digest_says(
    data: bytes,
) -> None:
    sealed = digest(cut_out(noise("yuv420p"), BOXES[2], np.ones((4, 5), bool)))
    piece = Piece(0, 0.0, BOXES[2], "", sealed, len(data))
    try:
        found = [digest(cut) for cut in pieces_of(part("yuv420p", [piece], data, FORMAT))]
    except (av.FFmpegError, ValueError):
        return
    assert len(found) == 1
    assert found[0] != sealed


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 1.0])
def test_no_block_is_left_out_of_the_pieces_and_none_is_added(share: float) -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        blocks = rng.random((30, 40)) < share
        if blocks.any():
            got = np.zeros_like(blocks)
            for (x, y, width, height), mask in pieces_in(blocks):
                assert width * height == mask.size <= MOST_BLOCKS
                got[y : y + height, x : x + width] |= mask
            assert np.array_equal(got, blocks)
