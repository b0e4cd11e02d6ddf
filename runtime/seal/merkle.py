"""Merkle trees of logs: RFC 6962, section 2.1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

HASH_BYTES = hashlib.sha256().digest_size


class Tree:
    """A Merkle tree that only grows: the hashes of its complete subtrees, largest first."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._subtrees: list[tuple[int, bytes]] = []
        for leaf in leaves:
            self.add(leaf)

    def add(self, leaf: bytes) -> None:
        """Add a leaf."""
        self.size += 1
        self._subtrees.append((1, _leaf(leaf)))
        while len(self._subtrees) > 1 and self._subtrees[-1][0] == self._subtrees[-2][0]:
            size, right = self._subtrees.pop()
            left = self._subtrees.pop()[1]
            self._subtrees.append((2 * size, _node(left, right)))

    @property
    def root(self) -> bytes:
        """The hash of the whole tree."""
        if not self._subtrees:
            return hashlib.sha256().digest()
        *others, (_, root) = self._subtrees
        for _, left in reversed(others):
            root = _node(left, root)
        return root


class FullTree:
    """A Merkle tree with all of its hashes, to prove leaves with; about 130 bytes a leaf."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = [_leaf(leaf) for leaf in leaves]
        self._levels = [level]
        while len(level) > 1:
            level = [_node(*pair) for pair in zip(level[::2], level[1::2], strict=False)]
            self._levels.append(level)

    def proof(self, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of a leaf in the tree of the first ``size``: lowest first."""
        return [self._root(start, end) for start, end in _siblings(index, size)]

    def _root(self, start: int, end: int) -> bytes:
        height = (end - start - 1).bit_length()
        if end - start == 1 << height:
            return self._levels[height][start >> height]
        middle = start + (1 << height - 1)
        return _node(self._root(start, middle), self._root(middle, end))


def root_of(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root of the tree of ``size`` leaves that a proof puts a leaf into.

    Raises:
        ValueError: the proof is of another length than one of that place has.
    """
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in the tree")
    siblings = list(_siblings(index, size))
    if len(proof) != len(siblings):
        raise ValueError("the proof is not as long as one of that place is")
    node = _leaf(leaf)
    for (start, _), sibling in zip(siblings, proof, strict=True):
        node = _node(node, sibling) if start > index else _node(sibling, node)
    return node


def _siblings(index: int, size: int) -> Iterator[tuple[int, int]]:
    """Return the ranges of leaves below the nodes beside the way to a leaf, lowest first."""
    start, end, ranges = 0, size, []
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return reversed(ranges)


def _leaf(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
