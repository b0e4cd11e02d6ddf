"""The hashes of a log's tree in tiles (https://c2sp.org/tlog-tiles), kept beside the log.

    log.tiles/tile/0/000         the hashes of the first 256 leaves, 32 bytes each
    log.tiles/tile/0/x001/234    of the leaves from 256 * 1234 on
    log.tiles/tile/1/000         the roots of the first 256 tiles of level 0, and so on

Full tiles alone are written: what is to the right of them is in the last lines of the log. They
are there for speed, and nothing trusts them: what is made of them must lead to a root that the
keeper of the log has signed, and whoever loses them makes them again from the log.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from pathlib import Path

from sealshot.runtime.files import make_durable_folder, read_regular, write_atomic
from sealshot.runtime.seal.merkle import HASH_BYTES, complete_root, hash_node, siblings

WIDTH = 256
"""Hashes of a tile: eight levels of the tree."""

_HEIGHT = WIDTH.bit_length() - 1


class Tiles:
    """The hashes of a tree that only grows.

    Args:
        folder: where full tiles are kept; None keeps them in memory, 32 bytes a leaf.
        proving: the sizes that leaves will be proven in. Of level 0 only tiles that such a proof
            takes are kept then: it can be had of those leaves that :meth:`keep` was told of.
    """

    def __init__(self, folder: Path | None = None, proving: Iterable[int] | None = None) -> None:
        self.size = 0
        """Leaves."""
        self._folder = folder
        self._kept = None if proving is None else {size // WIDTH for size in proving}
        self._edge: list[list[bytes]] = []
        """Of each level, the hashes of the tile that is not full yet."""
        self._full: dict[tuple[int, int], bytes] = {}
        """Full tiles that are not stored, by level and number."""

    @classmethod
    def restore(cls, folder: Path, size: int) -> Tiles:
        """Return the tiles of the first leaves of a log, whose number :data:`WIDTH` divides.

        At most 255 tiles of each level are read; a log of ten years has three levels.

        Raises OSError: one is missing, or is none.
        """
        tiles, count = cls(folder), size
        tiles.size = size
        while count:
            tiles._edge.append([])
            level = len(tiles._edge) - 1
            for number in range(count - count % WIDTH, count) if level else ():
                tiles._edge[level].append(complete_root(tiles._tile(level - 1, number)))
            count //= WIDTH
        return tiles

    def keep(self) -> None:
        """Keep what a proof of the next leaf takes."""
        if self._kept is not None:
            self._kept.add(self.size // WIDTH)

    def add(self, leaf_hash: bytes) -> None:
        """Add the hash of a leaf."""
        self.size += 1
        level, node, count = 0, leaf_hash, self.size
        while True:
            if level == len(self._edge):
                self._edge.append([])
            edge = self._edge[level]
            edge.append(node)
            if len(edge) < WIDTH:
                return
            count //= WIDTH
            if level or self._kept is None or count - 1 in self._kept:
                self._full[level, count - 1] = b"".join(edge)
            self._edge[level] = []
            level, node = level + 1, complete_root(edge)

    def store(self) -> None:
        """Write what is full, durably; raises OSError, and what is not written is the next time."""
        assert self._folder is not None
        for level, number in sorted(self._full):
            path = _path(self._folder, level, number)
            make_durable_folder(path.parent)
            write_atomic(path, self._full[level, number])
            del self._full[level, number]

    def leaf(self, index: int) -> bytes:
        """Return the hash of a leaf; raises OSError where its tile is missing."""
        return self._node(0, index)

    def subtrees(self) -> Iterator[tuple[int, bytes]]:
        """Return the complete subtrees of the tree: leaves and hash, largest first."""
        for level in reversed(range(len(self._edge))):
            edge, start = self._edge[level], 0
            while start < len(edge):
                width = 1 << (len(edge) - start).bit_length() - 1
                yield width * WIDTH**level, complete_root(edge[start : start + width])
                start += width

    def proof(self, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of a leaf in the tree of the first ``size``: lowest first."""
        return [self._root(start, end) for start, end in siblings(index, size)]

    def _root(self, start: int, end: int) -> bytes:
        """Return the root over a range of leaves, as it stands in a tree."""
        height = (end - start - 1).bit_length()
        if end - start == 1 << height:
            return self._node(height, start >> height)
        middle = start + (1 << height - 1)
        left, right = self._root(start, middle), self._root(middle, end)
        return hash_node(left, right)

    def _node(self, height: int, index: int) -> bytes:
        """Return the root of a complete subtree."""
        level, above = divmod(height, _HEIGHT)
        number, place = divmod(index << above, WIDTH)
        return complete_root(self._tile(level, number)[place : place + (1 << above)])

    def _tile(self, level: int, number: int) -> list[bytes]:
        if number == self.size // WIDTH ** (level + 1):
            return self._edge[level]
        data = self._full.get((level, number))
        if data is None:
            if self._folder is None:
                raise OSError(errno.ENOENT, "there is no such tile")
            data = read_regular(_path(self._folder, level, number), WIDTH * HASH_BYTES)
        if len(data) != WIDTH * HASH_BYTES:
            raise OSError(errno.EINVAL, "it is no tile")
        return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def _path(folder: Path, level: int, number: int) -> Path:
    """Return where a full tile lies."""
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03}")
    return folder.joinpath("tile", str(level), *reversed(parts))
