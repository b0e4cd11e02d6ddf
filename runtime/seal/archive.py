"""ZIP archives whose members are stored, not compressed: written in one way, read with distrust."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

_MEMBER = struct.Struct("<4s5H3I2H")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _MADE_BY = 20, 3 << 8 | 20  # ZIP 2.0; attributes as Unix has them
_DATE = 1 << 5 | 1  # 1 January 1980, the first that there is
_MODE = 0o600 << 16
_NAME_LIMIT = 256  # bytes; ours are far shorter
_COUNT_LIMIT, _SIZE_LIMIT = 2**16 - 1, 2**32 - 1  # beyond, a ZIP takes other records


def write_zip(members: dict[str, bytes]) -> bytes:
    """Return an archive; the same members always give the same bytes, which FORMAT.md spells out.

    Raises:
        ValueError: a name is not ASCII, or there is more than a plain ZIP holds.
    """
    if len(members) > _COUNT_LIMIT or sum(map(len, members.values())) > _SIZE_LIMIT // 2:
        raise ValueError("it is more than a ZIP holds")
    parts: list[bytes] = []
    directory: list[bytes] = []
    at = 0
    for name, content in members.items():
        encoded, size = name.encode("ascii"), len(content)
        fields = (_VERSION, 0, 0, 0, _DATE, zlib.crc32(content), size, size, len(encoded), 0)
        entry = _ENTRY.pack(b"PK\x01\x02", _MADE_BY, *fields, 0, 0, 0, _MODE, at)
        directory.append(entry + encoded)
        parts += [_MEMBER.pack(b"PK\x03\x04", *fields), encoded, content]
        at += _MEMBER.size + len(encoded) + size
    size, count = sum(map(len, directory)), len(members)
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, size, at, 0)
    return b"".join([*parts, *directory, end])


def read_zip(data: bytes, limit: int) -> dict[str, bytes]:
    """Return the members in their order; what unpacks to more than ``data`` is refused unread.

    Args:
        data: the archive.
        limit: of the number of members.

    Raises:
        ValueError: what is wrong with it, as a clause.
    """
    if _members(data) > limit:  # before the directory is read: it may be of millions
        raise ValueError("it has too many parts, or one twice")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except Exception as error:  # zipfile raises a dozen unrelated types on hostile bytes
        raise ValueError("it is not a readable ZIP") from error
    with archive:
        names = [info.filename for info in infos]
        if len(set(names)) < len(infos):
            raise ValueError("it has too many parts, or one twice")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("a part is compressed")
        if sum(info.file_size for info in infos) > len(data):
            raise ValueError("its parts overlap")
        try:
            return {info.filename: archive.read(info) for info in infos}
        except Exception as error:
            raise ValueError("it is not a readable ZIP") from error


def first_member(head: bytes) -> bytes:
    """Return the first member of an archive as :func:`write_zip` makes it, from its first bytes.

    Raises:
        ValueError: it is none, or the member is longer than ``head``.
    """
    if len(head) < _MEMBER.size or not head.startswith(b"PK\x03\x04"):
        raise ValueError("it is not a readable ZIP")
    *_, size, name, extra = _MEMBER.unpack_from(head)
    start = _MEMBER.size + name + extra
    if len(head) < start + size:
        raise ValueError("its first part is too long")
    return head[start : start + size]


def _members(data: bytes) -> int:
    """Return how many members the end record of a plain ZIP counts: it is the last 22 bytes.

    Raises:
        ValueError: there is none, or the directory is larger than that many members take.
    """
    end = data[-_END.size :]
    if len(end) < _END.size or not end.startswith(b"PK\x05\x06"):
        raise ValueError("it is not a readable ZIP")
    _, _, _, here, count, size, at, comment = _END.unpack(end)
    if here != count or comment or size > count * (_ENTRY.size + _NAME_LIMIT):
        raise ValueError("it is not a readable ZIP")
    if at + size + _END.size != len(data):
        raise ValueError("it is not a readable ZIP")
    return int(count)
