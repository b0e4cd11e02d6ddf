"""Merkle trees against the recursive definition of RFC 6962, section 2.1."""

from __future__ import annotations

import hashlib

import pytest

from sealshot.runtime.seal.merkle import Tree, hash_leaf, root_of
from sealshot.runtime.seal.tiles import Tiles

LEAVES = [b"leaf %d" % number for number in range(70)]


def full_tree(leaves: list[bytes]) -> Tiles:
    tiles = Tiles()
    for leaf in leaves:
        tiles.add(hash_leaf(leaf))
    return tiles


def largest_power_below(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def mth(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash, as the RFC has it."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = largest_power_below(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The audit path, as the RFC has it."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), mth(leaves[k:])]
    return [*path(index - k, leaves[k:]), mth(leaves[:k])]


@pytest.mark.parametrize("size", [*range(1, 20), 31, 32, 33, 64, 70])
def test_each_leaf_of_each_tree_is_proven(size: int) -> None:
    full = full_tree(LEAVES)
    root = mth(LEAVES[:size])
    assert Tree(LEAVES[:size]).root == root
    for index in range(size):
        proof = full.proof(index, size)
        assert proof == path(index, LEAVES[:size])
        assert root_of(LEAVES[index], index, size, proof) == root


def test_nothing_else_is_proven() -> None:
    root, proof = mth(LEAVES[:21]), full_tree(LEAVES).proof(11, 21)
    assert root_of(LEAVES[12], 11, 21, proof) != root
    for index in (0, 10, 12, 13):
        assert root_of(LEAVES[11], index, 21, proof) != root
    for number in range(len(proof)):
        altered = [bytes(32) if at == number else node for at, node in enumerate(proof)]
        assert root_of(LEAVES[11], 11, 21, altered) != root
    for wrong in (proof[:-1], [*proof, root], []):
        with pytest.raises(ValueError, match="not as long"):
            root_of(LEAVES[11], 11, 21, wrong)
    for index in (-1, 21):
        with pytest.raises(ValueError, match="no such leaf"):
            root_of(LEAVES[11], index, 21, proof)
