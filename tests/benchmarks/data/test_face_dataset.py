"""Data sets of pictures: what is read, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from sealshot.benchmarks.data.dataset import read_folder, read_lfw_pairs, read_pairs
from sealshot.runtime.errors import InputError


def touch(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(file.encode())


def test_folder_a_person(tmp_path):
    touch(
        tmp_path,
        "b/2.PNG",
        "a/1.jpg",
        "a/0.jpeg",
        "a/.hidden.jpg",
        "a/notes.txt",
        "loose.jpg",
        "a/x/deep.jpg",
    )
    pictures = read_folder(tmp_path)
    assert pictures.files == ("a/0.jpeg", "a/1.jpg", "b/2.PNG")
    assert pictures.person == ("a", "a", "b")


def test_key_follows_the_content(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.jpg")
    before = read_folder(tmp_path).key()
    assert read_folder(tmp_path).key() == before
    (tmp_path / "a/1.jpg").write_bytes(b"other")
    assert read_folder(tmp_path).key() != before


@pytest.mark.parametrize("files", [(), ("a/1.jpg",), ("a/1.jpg", "b/1.jpg"), ("1.jpg", "2.jpg")])
def test_folder_without_two_pictures_of_anybody_is_refused(files, tmp_path):
    touch(tmp_path, *files)
    with pytest.raises(InputError, match="no person with two"):
        read_folder(tmp_path)


def test_pairs(tmp_path):
    touch(tmp_path, "x.jpg", "y.jpg", "z.jpg")
    (tmp_path / "p.csv").write_text(
        "\ufeffreference,probe,same,person\nx.jpg,y.jpg,1,ann\nz.jpg,x.jpg,0,\n"
    )
    pictures, pairs = read_pairs(tmp_path / "p.csv")
    assert pictures.files == ("x.jpg", "y.jpg", "z.jpg")
    assert (pairs.reference.tolist(), pairs.probe.tolist()) == ([0, 2], [1, 0])
    assert pairs.same.tolist() == [True, False]
    assert pairs.person.tolist() == ["ann", "z.jpg"]


def test_pairs_are_genuine_without_the_column(tmp_path):
    touch(tmp_path, "x.jpg", "y.jpg")
    (tmp_path / "p.csv").write_text("reference,probe\nx.jpg,y.jpg\n")
    assert read_pairs(tmp_path / "p.csv")[1].same.tolist() == [True]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "not a list of pairs"),
        ("reference,probe\n", "not a list of pairs"),
        ("a,b\nx.jpg,y.jpg\n", "not a list of pairs"),
        ("reference,probe\nx.jpg,gone.jpg\n", "1 pictures .* the first is 'gone.jpg'"),
        ("reference,probe,same\nx.jpg,y.jpg,yes\n", "line 2 .* has 'yes'"),
        ("reference,probe,same\nx.jpg,y.jpg\n", "line 2 .* has 'None'"),
        ("reference,probe\nx.jpg\n", "do not exist"),
        ("reference,probe\n../../etc/passwd.jpg,x.jpg\n", "do not exist"),
    ],
)  # fmt: skip
def test_malformed_pairs_are_refused(text, fact, tmp_path):
    touch(tmp_path, "x.jpg", "y.jpg")
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=fact):
        read_pairs(tmp_path / "p.csv")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00bin\x00ary", np.random.default_rng(0).bytes(300)]
)
def test_a_file_that_is_no_text_is_refused(content, tmp_path):
    (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(InputError):
        read_pairs(tmp_path / "p.csv")


PICTURES = ("ann/ann_0001.jpg", "ann/ann_0004.png", "bob/bob_0002.jpg")


@pytest.mark.parametrize("below", ["", "lfw/"])
@pytest.mark.parametrize("counts", ["10\t300\n", "1100\n", ""])
def test_lfw_pairs(tmp_path, below, counts):
    touch(tmp_path, *(below + file for file in PICTURES))
    (tmp_path / "another").mkdir()
    (tmp_path / "pairs.txt").write_text(f"{counts}ann\t1\t4\nann\t4\tbob\t2\n\n")
    pictures, pairs = read_lfw_pairs(tmp_path / "pairs.txt")
    assert pictures.root == tmp_path / below
    assert pictures.files == PICTURES
    assert (pairs.reference.tolist(), pairs.probe.tolist()) == ([0, 1], [1, 2])
    assert pairs.same.tolist() == [True, False]
    assert pairs.person.tolist() == ["ann", "ann"]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "lists no pairs"),
        ("10 300\n", "lists no pairs"),
        ("ann 1\n", "line 1 of .* is no pair"),
        ("1\nann 1 4\nann one 4\n", "line 3 of .* is no pair"),
        ("ann 1 7\n", "the first is ann 7"),
        ("eve 1 2\n", "no folder 'eve'"),
    ],
)
def test_lfw_pairs_that_are_none(tmp_path, text, fact):
    touch(tmp_path, *PICTURES)
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(InputError, match=fact) as told:
        read_lfw_pairs(tmp_path / "pairs.txt")
    assert told.value.hint
