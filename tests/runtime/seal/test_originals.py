"""Originals of a public stream: what is inside the seal, and what is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.ceremony import open_originals
from sealshot.runtime.seal.container import FORMAT, read_container
from sealshot.runtime.seal.originals import (
    Originals,
    Piece,
    object_id,
    pack_originals,
    unpack_originals,
)
from sealshot.runtime.seal.payload import Origin, Times
from sealshot.runtime.seal.quorum import seal_to_quorum
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import RefusedError

STREAM = "5f" * 16
ORIGIN = Origin(source="cam", score_name="rp", model_sha256="0f" * 32)
PIECES = tuple(
    Piece(picture, picture / 25, (1, 1, 3, 2), "fc", "ab" * 32, 2) for picture in (4, 5, 9)
)
PART = Originals(STREAM, 2, (3,), 160, 128, "yuv420p", PIECES, b"coded!")


def times() -> Times:
    now = utc_now()
    return Times(now, now, "system")


def packed(part: Originals = PART) -> bytes:
    return pack_originals(part, ORIGIN, times())


def test_what_is_packed_comes_out() -> None:
    opened = unpack_originals(packed())
    assert opened.originals == PART
    assert opened.source == "cam"
    assert opened.within(opened.taken, opened.taken + timedelta(seconds=0.1)) == {4, 5}


def test_the_id_follows_from_stream_part_and_tracks() -> None:
    told = b"sealshot/originals/1\n" + b"\x5f" * 16 + bytes([0, 0, 0, 2, 0, 0, 0, 3])
    assert PART.id == hashlib.sha256(told).hexdigest()[:32]  # FORMAT.md, section 5.1
    others = [("6f" * 16, 2, (3,)), (STREAM, 3, (3,)), (STREAM, 2, ()), (STREAM, 2, (8,))]
    assert len({PART.id, *(object_id(*other) for other in others)}) == 5


UNFIT = {
    "a box out of the frame": {"pieces": (replace(PIECES[0], box=(8, 1, 3, 2)),)},
    "a box below the frame": {"pieces": (replace(PIECES[0], box=(1, 7, 3, 2)),)},
    "a box of nothing": {"pieces": (replace(PIECES[0], box=(1, 1, 0, 2)),)},
    "blocks of another box": {"pieces": (replace(PIECES[0], blocks="fcfc"),)},
    "no piece": {"pieces": ()},
    "pictures that run back": {"pieces": (PIECES[1], PIECES[0])},
    "longer than a minute": {"pieces": (PIECES[0], replace(PIECES[1], time_s=61.0))},
    "two tracks": {"tracks": (3, 8)},
    "a picture without size": {"width": 0},
    "another format of pixels": {"pixels": "rgb24"},
    "more than its pieces": {"coded": b"coded!!"},
    "a piece of nothing": {
        "pieces": (*PIECES[:2], replace(PIECES[2], coded_bytes=0)),
        "coded": b"code",
    },
}


@pytest.mark.parametrize("what", UNFIT)
def test_what_does_not_fit_is_not_sealed(what: str) -> None:
    with pytest.raises(SealshotError):
        packed(replace(PART, **UNFIT[what]))


@pytest.mark.parametrize("field", ["format", "stream", "tracks", "pieces", "width", "utc"])
def test_each_field_is_needed_and_none_more(field: str) -> None:
    members = read_zip(packed(), limit=2)
    values = json.loads(members["originals.json"])
    for changed in ({k: v for k, v in values.items() if k != field}, {**values, "more": 1}):
        data = write_zip({**members, "originals.json": json.dumps(changed).encode()})
        with pytest.raises(SealError):
            unpack_originals(data)


def test_a_shot_is_not_taken_for_originals() -> None:
    vectors = Path(__file__).parents[2] / "data" / "seal"
    with pytest.raises(SealError, match="does not hold originals"):
        unpack_originals((vectors / "payload.zip").read_bytes())


def test_the_video_of_format_1_is_read() -> None:
    values = json.loads(read_zip(packed(), limit=2)["originals.json"]) | {"format": 1}
    for piece in values["pieces"]:
        del piece["coded_bytes"]

    def members(name: str) -> bytes:
        return write_zip({"originals.json": json.dumps(values).encode(), name: b"video"})

    read = unpack_originals(members("originals.mkv")).originals
    pieces = tuple(replace(piece, coded_bytes=0) for piece in PIECES)
    assert read == replace(PART, pieces=pieces, coded=b"video", format=1)
    with pytest.raises(SealError, match="does not hold originals"):
        unpack_originals(members("originals.ffv1"))


def test_a_newer_format_is_told() -> None:
    members = read_zip(packed(), limit=2)
    values = {**json.loads(members["originals.json"]), "format": 9}
    data = write_zip({**members, "originals.json": json.dumps(values).encode()})
    with pytest.raises(SealError, match="of format 9"):
        unpack_originals(data)


def sealed(world, content: str, id: str) -> bytes:
    now = utc_now()
    plain = pack_originals(PART, ORIGIN, Times(now, now, "system"))
    return seal_to_quorum(plain, world.camera, world.epoch_key, now, now, id, content)


def opened(world, data: bytes, **changes: object):
    container = read_container(data)
    warrant = world.warrant("judge", "police", **({"purpose": "restore"} | changes))
    names = ("judge", "police", "custodian")
    answers = [world.answer_of(name, [container], warrant) for name in names]
    return open_originals(container, warrant, world.policy, answers)


def test_a_quorum_opens_them(classical) -> None:
    data = sealed(classical, "originals", PART.id)
    assert opened(classical, data).originals == PART
    header = read_container(data).header
    assert (header.format, header.content) == (FORMAT, "originals")
    assert read_container(classical.seal()).header.content == "shot"


def test_originals_of_another_id_are_refused(classical) -> None:
    with pytest.raises(RefusedError, match="another part"):
        opened(classical, sealed(classical, "originals", object_id(STREAM, 2, ())))


def test_what_lies_about_its_content_is_refused(classical) -> None:
    with pytest.raises(RefusedError) as caught:
        opened(classical, sealed(classical, "shot", PART.id))
    assert caught.value.reason == "other-content"
    with pytest.raises(RefusedError) as caught:
        opened(classical, sealed(classical, "originals", PART.id), purpose="open")
    assert caught.value.reason == "other-content"
