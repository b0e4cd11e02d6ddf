"""Which pictures are compared, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sealshot.benchmarks.accuracy.erc import comparisons as module
from sealshot.benchmarks.accuracy.erc.comparisons import (
    all_pairs,
    listed,
    pairs_of_people,
    read_npz,
    with_references,
)
from sealshot.benchmarks.data.dataset import Pairs, Pictures
from sealshot.benchmarks.data.faces import Faces
from sealshot.runtime.errors import InputError


def faces_of(people: str) -> tuple[Faces, np.ndarray]:
    """One face a letter; the embedding is a unit vector that turns with the index."""
    n = len(people)
    pictures = Pictures(Path(), tuple(f"{i}" for i in range(n)), tuple(people))
    angle = np.arange(n) / n
    faces = Faces(
        pictures=pictures,
        picture=np.arange(n),
        box=np.zeros((n, 4), np.float32),
        landmarks=np.zeros((n, 5, 2), np.float32),
        confidence=np.ones(n, np.float32),
        crops=np.zeros((n, 64, 64), np.uint8),
        unreadable=(),
        faceless=(),
        key="",
    )
    return faces, np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("people", "desirability", "reference"),
    [
        ("aabb", [1, 2, 4, 3], [1, 2]),
        ("abab", [1, 1, 2, 2], [2, 3]),
        ("aaa", [5, 5, 5], [0, 0]),  # the first of equals
        ("aaa", [-np.inf, 0, -np.inf], [1, 1]),
        ("aab", [1, 2, 9], [1]),  # one picture makes no genuine comparison
    ],
)
def test_reference_is_the_most_desirable_picture_of_a_person(people, desirability, reference):
    faces, embedding = faces_of(people)
    found = with_references(faces, embedding, "euclidean", np.array(desirability, float))
    assert found.reference.tolist() == reference
    letters = np.array(list(people))
    assert (letters[found.reference] == letters[found.probe]).all()
    assert not set(found.probe) & set(found.reference)
    apart = np.linalg.norm(embedding[found.reference] - embedding[found.probe], axis=1)
    np.testing.assert_allclose(found.distance, apart, rtol=1e-6)
    different = sum(a != b for i, a in enumerate(people) for b in people[:i])
    assert len(found.impostor) == different


def test_all_pairs_are_at_most_so_many_a_person(monkeypatch):
    faces, embedding = faces_of("a" * 6 + "b" * 3 + "c")
    found = all_pairs(faces, embedding, "cosine")
    assert len(found.distance) == 15 + 3
    np.testing.assert_allclose(
        found.distance,
        1 - np.sum(embedding[found.reference] * embedding[found.probe], axis=1),
        atol=1e-6,
    )
    monkeypatch.setattr(module, "PAIRS_A_PERSON", 4)
    left, right = pairs_of_people(np.array([0] * 6 + [1] * 3 + [2]))
    assert len(left) == 4 + 3
    assert len({(a, b) for a, b in zip(left, right, strict=True)}) == 7
    assert (left != right).all()


def test_many_impostors_are_drawn(monkeypatch):
    monkeypatch.setattr(module, "IMPOSTORS", 50)
    faces, embedding = faces_of("ab" * 10)
    found = all_pairs(faces, embedding, "euclidean")
    assert 10 < len(found.impostor) <= 50


def test_quality_of_a_comparison():
    faces, embedding = faces_of("aab")
    found = with_references(faces, embedding, "euclidean", np.array([1.0, 0, 0]))
    quality = np.array([0.1, 0.7, 0.5])
    assert found.quality(quality, "probe").tolist() == [0.7]
    assert found.quality(quality, "min").tolist() == [0.1]


def test_listed_pairs_without_a_face_are_counted():
    faces, embedding = faces_of("aab")
    pictures = Pictures(Path(), ("x", "0", "1", "2"), ())
    faces = Faces(**{**vars(faces), "pictures": pictures, "picture": np.array([1, 2, 3])})
    pairs = Pairs(
        reference=np.array([1, 0, 1, 3]),
        probe=np.array([2, 2, 3, 0]),
        same=np.array([True, True, False, False]),
        person=np.array(["a", "a", "a", "b"]),
    )
    found = listed(faces, embedding, "euclidean", pairs)
    assert (found.reference.tolist(), found.probe.tolist()) == ([0], [1])
    assert len(found.impostor) == 1
    assert found.lost == 2


GOOD = {"distance": np.arange(3.0), "quality_a": np.arange(3)}


def test_npz_of_distances(tmp_path):
    np.savez(tmp_path / "x.npz", **GOOD, person=np.array(["p", "q", "p"]), impostor=np.ones(2))
    found, qualities = read_npz(tmp_path / "x.npz")
    assert found.person.tolist() == ["p", "q", "p"]
    assert found.impostor.tolist() == [1, 1]
    assert list(qualities) == ["a"]
    np.savez(tmp_path / "y.npz", **GOOD)
    assert len(np.unique(read_npz(tmp_path / "y.npz")[0].person)) == 3


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"distance": np.arange(3.0)},
        {"quality_a": np.arange(3.0)},
        {**GOOD, "quality_b": np.arange(4.0)},
        {**GOOD, "person": np.arange(2)},
        {"distance": np.ones((3, 1)), "quality_a": np.ones((3, 1))},
        {**GOOD, "quality_b": np.array(["x", "y", "z"])},
        {**GOOD, "quality_b": np.array([1, "y", None], object)},
    ],
)
def test_malformed_npz_is_refused(arrays, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError) as caught:
        read_npz(tmp_path / "x.npz")
    assert "distance" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"text"])
def test_a_file_that_is_no_npz_is_refused(content, tmp_path):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError):
        read_npz(tmp_path / "x.npz")
