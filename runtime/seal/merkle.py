"""Merkle trees of logs: RFC 6962, section 2.1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

HASH_BYTES = hashlib.sha256().digest_size


class Tree:
    """A Merkle tree that only grows: the hashes of its complete subtrees, largest first.

    Args:
        leaves: its first leaves.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._subtrees: list[tuple[int, bytes]] = []
        for leaf in leaves:
            self.add(leaf)

    @classmethod
    def of_subtrees(cls, subtrees: Iterable[tuple[int, bytes]]) -> Tree:
        """Return the tree with these complete subtrees: leaves and hash, largest first."""
        tree = cls()
        tree._subtrees = list(subtrees)
        tree.size = sum(size for size, _ in tree._subtrees)
        return tree

    def add(self, leaf: bytes) -> bytes:
        """Add a leaf, and return its hash."""
        leaf_hash = hash_leaf(leaf)
        self.size += 1
        self._subtrees.append((1, leaf_hash))
        while len(self._subtrees) > 1 and self._subtrees[-1][0] == self._subtrees[-2][0]:
            size, right = self._subtrees.pop()
            left = self._subtrees.pop()[1]
            self._subtrees.append((2 * size, hash_node(left, right)))
        return leaf_hash

    @property
    def root(self) -> bytes:
        """The hash of the whole tree."""
        if not self._subtrees:
            return hashlib.sha256().digest()
        *others, (_, root) = self._subtrees
        for _, left in reversed(others):
            root = hash_node(left, root)
        return root


def root_of(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root of the tree of ``size`` leaves that a proof puts a leaf into.

    Raises:
        ValueError: the proof is of another length than one of that place has.
    """
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in the tree")
    beside = list(siblings(index, size))
    if len(proof) != len(beside):
        raise ValueError("the proof is not as long as one of that place is")
    node = hash_leaf(leaf)
    for (start, _), sibling in zip(beside, proof, strict=True):
        node = hash_node(node, sibling) if start > index else hash_node(sibling, node)
    return node


def siblings(index: int, size: int) -> Iterator[tuple[int, int]]:
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


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a complete subtree whose nodes on one level, a power of two, are these."""
    while len(hashes) > 1:
        hashes = [hash_node(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def hash_leaf(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two."""
    return hashlib.sha256(b"\x01" + left + right).digest()
