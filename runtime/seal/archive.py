"""ZIP archives whose members are stored, not compressed: written in one way, read with distrust."""

from __future__ import annotations

import io
import zipfile


def write_zip(members: dict[str, bytes]) -> bytes:
    """Return an archive; the same members always give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # its date is 1980, always
    return buffer.getvalue()


def read_zip(data: bytes, limit: int) -> dict[str, bytes]:
    """Return the members in their order; what unpacks to more than ``data`` is refused unread.

    Args:
        data: the archive.
        limit: of the number of members.

    Raises:
        ValueError: what is wrong with it, as a clause.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except Exception as error:  # zipfile raises a dozen unrelated types on hostile bytes
        raise ValueError("it is not a readable ZIP") from error
    with archive:
        names = [info.filename for info in infos]
        if len(infos) > limit or len(set(names)) < len(infos):
            raise ValueError("it has too many parts, or one twice")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("a part is compressed")
        if sum(info.file_size for info in infos) > len(data):
            raise ValueError("its parts overlap")
        try:
            return {info.filename: archive.read(info) for info in infos}
        except Exception as error:
            raise ValueError("it is not a readable ZIP") from error
