"""What is inside the seal: complete, exact, and refused when it is anything else."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealshot import __version__
from sealshot.runtime.age import age
from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal import payload
from sealshot.runtime.seal.envelope import seal, unseal
from sealshot.runtime.seal.payload import Origin, pack, unpack
from sealshot.runtime.types import Shot


def _zip(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return buffer.getvalue()


def _members(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def test_everything_known_of_a_shot_comes_back(shot: Shot, origin: Origin) -> None:
    opened = unpack(pack(shot, origin))
    known = dataclasses.asdict(opened.metadata)
    for field in dataclasses.fields(Shot):
        if field.name not in ("image", "clip"):
            assert known.pop(field.name) == getattr(shot, field.name)
    for field in dataclasses.fields(Origin):
        if field.name in ("started", "clock"):  # they say when the shot was taken
            continue
        assert known.pop(field.name) == getattr(origin, field.name)
    assert known == {
        "format": 2,
        "clock": "system",
        "sealed": shot.utc[:19] + "Z",
        "sealshot": __version__,
        "picture": "jpg",
        "clip_times_s": (3.48, 3.52),
        "clip_bytes": tuple(len(frame) for _, frame in shot.clip),
    }
    assert opened.clip == b"".join(frame for _, frame in shot.clip)
    assert json.loads(opened.metadata_json)["track"] == shot.track


def test_png_loses_nothing_and_jpeg_little(shot: Shot, origin: Origin) -> None:
    png = unpack(pack(shot, origin, picture="png"))
    assert np.array_equal(cv2.imdecode(np.frombuffer(png.picture, np.uint8), 1), shot.image)
    smooth = dataclasses.replace(shot, image=cv2.GaussianBlur(shot.image, (0, 0), 3))
    sizes = []
    for quality in (50, 95):
        jpeg = unpack(pack(smooth, origin, quality=quality))
        decoded = cv2.imdecode(np.frombuffer(jpeg.picture, np.uint8), 1)
        assert np.abs(decoded.astype(int) - smooth.image).mean() < 4
        sizes.append(len(jpeg.picture))
    assert sizes[0] < sizes[1]


def test_without_clip_there_is_no_clip(shot: Shot, origin: Origin) -> None:
    packed = pack(dataclasses.replace(shot, clip=()), origin)
    assert [name for name, _ in _members(packed)] == ["shot.json", "shot.jpg"]
    assert unpack(packed).clip == b""


def test_the_layout_is_fixed(shot: Shot, origin: Origin) -> None:
    assert pack(shot, origin) == pack(shot, origin)
    with zipfile.ZipFile(io.BytesIO(pack(shot, origin))) as archive:
        assert archive.namelist() == ["shot.json", "shot.jpg", "clip.mjpeg"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_numpy_numbers_are_taken(shot: Shot, origin: Origin) -> None:
    box = tuple(np.float32([1.5, 2, 3, 4]))
    numbers = dataclasses.replace(shot, score=np.float32(-1.5), box=box, time_s=np.float64(2))
    metadata = unpack(pack(numbers, origin)).metadata
    assert (metadata.score, metadata.box, metadata.time_s) == (-1.5, (1.5, 2.0, 3.0, 4.0), 2.0)


def test_control_characters_do_not_reach_a_terminal(shot: Shot, origin: Origin) -> None:
    hostile = dataclasses.replace(origin, source="a\x1b[2J\n\udcff" + "b" * 2000)
    source = unpack(pack(shot, hostile)).metadata.source
    assert source.startswith("a\ufffd[2J\ufffd\ufffdb")
    assert len(source) == payload.TEXT_LIMIT


@pytest.mark.parametrize(
    "changes",
    [
        {"score": float("nan")},
        {"score": float("-inf")},
        {"utc": "2026-11-21T10:20:30+00:00"},
        {"track": -1},
        {"box": (1.0, 2.0)},
    ],
    ids=str,
)
def test_what_could_not_be_opened_is_not_sealed(
    changes: dict[str, Any], shot: Shot, origin: Origin
) -> None:
    with pytest.raises(SealshotError, match="track"):
        pack(dataclasses.replace(shot, **changes), origin)


def _with_metadata(data: bytes, **changes: Any) -> bytes:
    (name, text), *rest = _members(data)
    values = json.loads(text) | changes
    kept = {key: value for key, value in values.items() if value is not ...}
    return _zip((name, json.dumps(kept).encode()), *rest)


BAD_METADATA: dict[str, tuple[dict[str, Any], str]] = {
    "newer": ({"format": 3}, "format 3"),
    "no format": ({"format": ...}, "other fields"),
    "format of no number": ({"format": True}, "'format'"),
    "format 0.5": ({"format": 1.0}, "'format'"),
    "missing": ({"utc": ...}, "other fields"),
    "unknown": ({"name": "somebody"}, "other fields"),
    "track": ({"track": "3"}, "'track'"),
    "huge": ({"frame": 10**400}, "'frame'"),
    "huge number": ({"score": 10**400}, "'score'"),
    "negative": ({"frames_seen": -1}, "'frames_seen'"),
    "not finite": ({"score": float("inf")}, "not JSON"),
    "time": ({"utc": "yesterday"}, "'utc'"),
    "box": ({"box": [1, 2, 3]}, "'box'"),
    "escape": ({"reason": "\x1b]0;"}, "'reason'"),
    "long": ({"source": "x" * 1001}, "'source'"),
    "hash": ({"model_sha256": "0" * 63}, "'model_sha256'"),
    "picture": ({"picture": "../x"}, "'picture'"),
    "picture of no text": ({"picture": ["jpg"]}, "'picture'"),
    "other picture": ({"picture": "png"}, "parts"),
    "times": ({"clip_times_s": [1.0]}, "one time a frame"),
    "sizes": ({"clip_bytes": [9, 11]}, "length"),
    "no clip": ({"clip_bytes": [], "clip_times_s": []}, "parts"),
}


@pytest.mark.parametrize(("changes", "fact"), BAD_METADATA.values(), ids=BAD_METADATA.keys())
def test_metadata_that_does_not_fit(
    changes: dict[str, Any], fact: str, shot: Shot, origin: Origin
) -> None:
    with pytest.raises(SealError, match=fact):
        unpack(_with_metadata(pack(shot, origin), **changes))


def test_unchanged_metadata_fits(shot: Shot, origin: Origin) -> None:
    assert unpack(_with_metadata(pack(shot, origin))).metadata.track == 3  # the control


BAD_JSON = {
    "empty": (b"", "missing or too long"),
    "not JSON": (b"{", "not JSON"),
    "a list": (b"[]", "not an object"),
    "twice": (b'{"format": 1, "format": 1}', "not JSON"),
    "deep": (b"[" * 100_000, "not JSON"),
    "not UTF-8": (b'{"a": "\xff"}', "not JSON"),
    "UTF-16": ('{"format": 1}'.encode("utf-16"), "not JSON"),
    "long": (b" " * (payload.METADATA_LIMIT + 1), "missing or too long"),
    "NaN": (b'{"score": NaN}', "not JSON"),
    "other fields": (b'{"score": 0}', "other fields"),
}


@pytest.mark.parametrize(("text", "fact"), BAD_JSON.values(), ids=BAD_JSON.keys())
def test_json_that_is_none(text: bytes, fact: str, shot: Shot, origin: Origin) -> None:
    _, *rest = _members(pack(shot, origin))
    with pytest.raises(SealError, match=fact):
        unpack(_zip(("shot.json", text), *rest))


def _doubled(members: list[tuple[str, bytes]]) -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return _zip(members[0], members[1], members[1])


def _overlapping(members: list[tuple[str, bytes]]) -> bytes:
    """A quine-like bomb: the picture claims to reach to the end of the file."""
    data = bytearray(_zip(*members[:2]))
    size = len(data) - 100
    central = data.rindex(b"PK\x01\x02")
    data[central + 20 : central + 28] = size.to_bytes(4, "little") * 2
    return bytes(data)


Members = list[tuple[str, bytes]]
HOSTILE: dict[str, tuple[Callable[[Members], bytes], str]] = {
    "empty": (lambda m: b"", "not a readable ZIP"),
    "no ZIP": (lambda m: b"\xff\xd8\xff", "not a readable ZIP"),
    "no members": (lambda m: _zip(), "missing"),
    "compressed": (lambda m: _zip(*m, compression=zipfile.ZIP_DEFLATED), "compressed"),
    "bomb": (
        lambda m: _zip(m[0], ("shot.jpg", bytes(10**7)), compression=zipfile.ZIP_BZIP2),
        "compressed",
    ),
    "twice": (_doubled, "twice"),
    "overlapping": (_overlapping, "overlap"),
    "wrong order": (lambda m: _zip(m[0], m[2], m[1]), "parts"),
    "no picture": (lambda m: _zip(m[0]), "parts"),
    "no metadata": (lambda m: _zip(*m[1:]), "missing"),
    "path": (lambda m: _zip(m[0], ("../shot.jpg", m[1][1]), m[2]), "parts"),
    "absolute": (lambda m: _zip(m[0], ("/etc/shot.jpg", m[1][1]), m[2]), "parts"),
    "other name": (lambda m: _zip(m[0], ("shot.exe", m[1][1]), m[2]), "parts"),
    "one more": (lambda m: _zip(*m, ("more", b"")), "too many"),
    "two pictures": (lambda m: _zip(*m[:2], ("shot.png", b"\x89PNG\r\n\x1a\n")), "parts"),
    "no JPEG": (lambda m: _zip(m[0], ("shot.jpg", b"<script>"), m[2]), "not a jpg"),
    "clip too long": (lambda m: _zip(*m[:2], ("clip.mjpeg", bytes(20))), "length"),
}


@pytest.mark.parametrize(("make", "fact"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archives_are_refused(
    make: Callable[[Members], bytes], fact: str, shot: Shot, origin: Origin
) -> None:
    with pytest.raises(SealError, match=f"not sealed by sealshot: .*({fact})"):
        unpack(make(_members(pack(shot, origin))))


@given(st.binary(max_size=300))
def test_hostile_bytes_end_in_a_seal_error(data: bytes) -> None:
    for hostile in (data, b"PK\x05\x06" + data, data + b"PK\x05\x06" + bytes(18)):
        with pytest.raises(SealError):
            unpack(hostile)


PACKED = pack(
    Shot(
        1, 2, 0.1, "2026-11-21T00:00:00Z", (0, 0, 8, 8), 1.0, 5.0, 3, "", np.zeros((8, 8, 3), "u1")
    ),
    Origin("", "", "0" * 64),
)


@given(st.lists(st.tuples(st.integers(0, len(PACKED) - 1), st.integers(0, 255)), max_size=4))
@settings(max_examples=400)
def test_mutated_payloads_open_or_end_in_a_seal_error(changes: list[tuple[int, int]]) -> None:
    mutated = bytearray(PACKED)
    for position, value in changes:
        mutated[position] = value
    try:
        opened = unpack(bytes(mutated))
    except SealError:
        return
    assert opened.picture.startswith(b"\xff\xd8\xff")
    assert len(opened.picture) + len(opened.metadata_json) < len(PACKED)


def test_seal_and_unseal(shot: Shot, origin: Origin, identity, identity_file, stock_age) -> None:
    sealed = seal(shot, [identity.recipient], origin, picture="png")
    assert unseal(sealed, [identity]) == unpack(pack(shot, origin, picture="png"))
    opened = stock_age("age", "-d", "-i", identity_file, stdin=sealed)
    assert opened == pack(shot, origin, picture="png")
    assert opened not in sealed
    assert opened[200:300] not in sealed


def test_an_age_file_of_something_else_is_named(identity) -> None:
    with pytest.raises(SealError, match="not sealed by sealshot") as caught:
        unseal(age.encrypt(b"a letter", [identity.recipient]), [identity])
    assert "age -d" in caught.value.hint
