"""Tiles beside a log: what a start reads of years, and that nothing is believed because of them."""

from __future__ import annotations

import hashlib
import shutil
import tracemalloc
from pathlib import Path

import pytest
from whole_log import verify_log

from sealshot.runtime.seal import log as log_module
from sealshot.runtime.seal.checkpoint import LogError, checkpoint_path, parse_checkpoint
from sealshot.runtime.seal.entries import Other, Sealed
from sealshot.runtime.seal.log import Log, tiles_path
from sealshot.runtime.seal.log_lines import lines_of
from sealshot.runtime.seal.merkle import Tree, hash_leaf, root_of
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import WIDTH, Tiles

KEY = SigningKey(bytes(range(32)))
COUNT = 3 * WIDTH + 20


def _entry(number: int) -> Sealed:
    day = f"2026-11-{1 + number // WIDTH:02}"
    return Sealed(f"{day}T10", f"{day}/{number:032x}.sealed")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "log"
    with Log(path, "cam1", KEY) as log:
        for first in range(0, COUNT, 97):
            log.append(*map(_entry, range(first, min(first + 97, COUNT))))
    return path.parent


@pytest.fixture
def log(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "log"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that a log is read from its first entry on."""
    told: list[str] = []
    real = log_module.verified_entries

    def counting(path, name, key, notes):
        told.append(name)
        return real(path, name, key, notes)

    monkeypatch.setattr(log_module, "verified_entries", counting)
    return told


def _files(log: Path) -> dict[str, bytes]:
    folder = tiles_path(log)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_tiles_are_those_of_c2sp(log: Path) -> None:
    hashes = [hashlib.sha256(b"\0" + line).digest() for line in lines_of(log.read_bytes())]
    wanted = {
        f"tile/0/00{n}": b"".join(hashes[n * WIDTH : (n + 1) * WIDTH])
        for n in range(COUNT // WIDTH)
    }
    assert _files(log) == wanted


def test_the_paths_and_levels_of_many_tiles(tmp_path: Path) -> None:
    tiles = Tiles(tmp_path)
    for number in range(1001 * WIDTH):
        tiles.add(number.to_bytes(32, "big"))
    tiles.store()
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"tile/0/000", "tile/0/999", "tile/0/x001/000"} <= names
    assert sorted(name for name in names if name.startswith("tile/1")) == [
        f"tile/1/00{n}" for n in range(3)
    ]
    assert len(names) == 1001 + 3
    size = 1001 * WIDTH
    again = Tiles.restore(tmp_path, size)
    assert Tree.of_subtrees(again.subtrees()).root == Tree.of_subtrees(tiles.subtrees()).root
    assert again.leaf(size - 1) == (size - 1).to_bytes(32, "big")


@pytest.mark.parametrize("size", [1, 2, WIDTH - 1, WIDTH, WIDTH + 1, 2 * WIDTH, 700])
def test_proofs_out_of_tiles(size: int, tmp_path: Path) -> None:
    leaves = [b"leaf %d" % number for number in range(701)]
    in_memory, on_disk = Tiles(), Tiles(tmp_path)
    for leaf in leaves:
        in_memory.add(hash_leaf(leaf))
        on_disk.add(hash_leaf(leaf))
    on_disk.store()
    root = Tree(leaves[:size]).root
    for index in {0, 1, size // 2, size - 1} & set(range(size)):
        proof = in_memory.proof(index, size)
        assert root_of(leaves[index], index, size, proof) == root
        assert on_disk.proof(index, size) == proof


@pytest.mark.parametrize("sizes", [[1], [WIDTH - 1, WIDTH], [WIDTH + 1, 2 * WIDTH], [1500, 701]])
def test_who_knows_what_is_to_be_proven_keeps_no_more(sizes: list[int]) -> None:
    leaves = [hash_leaf(b"leaf %d" % number) for number in range(1501)]
    everything, few = Tiles(), Tiles(proving=sizes)
    wanted = {0, 1, 255, 256, 600, 1499}
    for number, leaf in enumerate(leaves):
        if number in wanted:
            few.keep()
        everything.add(leaf)
        few.add(leaf)
    asked = [(index, size) for size in sizes for index in wanted if index < size]
    assert [few.proof(*one) for one in asked] == [everything.proof(*one) for one in asked]
    with pytest.raises(OSError, match="no such tile"):
        few.proof(3 * WIDTH, 1501)


def test_a_proof_out_of_a_long_log_takes_little_memory() -> None:
    leaf, count = bytes(32), 200 * WIDTH
    tiles = Tiles(proving=[count])
    tracemalloc.start()
    for number in range(count):
        if number == count // 3:
            tiles.keep()
        tiles.add(leaf)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert tiles.proof(count // 3, count)
    assert held < 32 * count / 20  # of 32 bytes a leaf


@pytest.mark.parametrize("count", [0, 1, WIDTH - 1, WIDTH, WIDTH + 1, COUNT])
def test_a_start_goes_on_from_the_tiles(count: int, tmp_path: Path, reads: list[str]) -> None:
    path = tmp_path / "log"
    with Log(path, "cam1", KEY) as log:
        if count:
            log.append(*map(_entry, range(count)))
    reads.clear()
    with Log(path, "cam1", KEY) as log:
        assert log.latest == (_entry(count - 1).time if count else "")
        log.append(*map(_entry, range(count, COUNT + 300)))
    assert reads == ([] if count >= WIDTH else ["cam1"])
    note = checkpoint_path(path).read_bytes()
    assert verify_log(path.read_bytes(), "cam1", KEY.verify_key, [note]).size == COUNT + 300
    assert sorted(_files(path)) == [f"tile/0/00{n}" for n in range((COUNT + 300) // WIDTH)]


DAMAGES = {
    "all missing": lambda tiles: shutil.rmtree(tiles),
    "one missing": lambda tiles: (tiles / "tile/0/001").unlink(),
    "one cut": lambda tiles: (tiles / "tile/0/002").write_bytes(b"short"),
    "one longer": lambda tiles: (tiles / "tile/0/000").write_bytes(bytes(WIDTH * 32 + 1)),
    "one of another log": lambda tiles: (tiles / "tile/0/001").write_bytes(bytes(WIDTH * 32)),
    "the newest of another log": lambda tiles: (tiles / "tile/0/002").write_bytes(bytes(8192)),
    "a folder": lambda tiles: ((tiles / "tile/0/001").unlink(), (tiles / "tile/0/001").mkdir()),
}


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "a folder"])
def test_tiles_that_are_missing_or_wrong_are_made_anew(
    damage: str, log: Path, reads: list[str]
) -> None:
    right = _files(log)
    DAMAGES[damage](tiles_path(log))
    with Log(log, "cam1", KEY) as again:
        assert reads == ["cam1"]
        again.append(_entry(COUNT))
    assert _files(log) == right
    note = checkpoint_path(log).read_bytes()
    assert verify_log(log.read_bytes(), "cam1", KEY.verify_key, [note]).size == COUNT + 1


def test_a_tile_that_cannot_be_written_is_told(log: Path) -> None:
    DAMAGES["a folder"](tiles_path(log))
    with pytest.raises(LogError, match="cannot write to the log"), Log(log, "cam1", KEY) as again:
        again.append(_entry(COUNT))


@pytest.mark.parametrize("at", [0, WIDTH - 1, WIDTH, 3 * WIDTH - 1, 3 * WIDTH, COUNT - 1])
def test_what_was_altered_is_never_signed(at: int, log: Path) -> None:
    """Of old entries a start reads no more than the hashes: verifying finds what was altered."""
    lines = log.read_bytes().splitlines(keepends=True)
    lines[at] = lines[at].replace(b"sealed", b"opened", 1)
    log.write_bytes(b"".join(lines))
    before = parse_checkpoint(checkpoint_path(log).read_bytes(), KEY.verify_key)
    if at >= 3 * WIDTH - 1:
        with pytest.raises(LogError, match=f"entry {at + 1} "):
            Log(log, "cam1", KEY)
    else:
        with Log(log, "cam1", KEY) as again:
            again.append(_entry(COUNT))
    note = checkpoint_path(log).read_bytes()
    with pytest.raises(LogError, match=f"entry {at + 1} "):
        verify_log(log.read_bytes(), "cam1", KEY.verify_key, [note])
    right = [*lines[:at], lines[at].replace(b"opened", b"sealed", 1), *lines[at + 1 :]]
    whole = b"".join(right) + log.read_bytes()[len(b"".join(lines)) :]
    assert verify_log(whole, "cam1", KEY.verify_key, [note]).size >= before.size


@pytest.mark.parametrize("cut", [1, 20, 21, WIDTH + 20])
def test_a_log_that_was_cut_is_not_gone_on_with(cut: int, log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-cut]))
    with pytest.raises(LogError, match="it was cut"):
        Log(log, "cam1", KEY)


@pytest.mark.parametrize("more", [1, WIDTH, 2 * WIDTH])
def test_what_a_kill_left_uncovered_is_covered(more: int, log: Path, reads: list[str]) -> None:
    """Killed after the entries, and after the tiles, before the checkpoint."""
    note, tiles = checkpoint_path(log).read_bytes(), _files(log)
    with Log(log, "cam1", KEY) as again:
        again.append(*map(_entry, range(COUNT, COUNT + more)))
    for keep in (True, False):  # the tiles
        checkpoint_path(log).write_bytes(note)
        if not keep:
            shutil.rmtree(tiles_path(log))
            for name, data in tiles.items():
                (tiles_path(log) / name).parent.mkdir(parents=True, exist_ok=True)
                (tiles_path(log) / name).write_bytes(data)
        with log.open("ab") as file:
            file.write(b'{"event":"sea')
        reads.clear()
        Log(log, "cam1", KEY).close()
        assert reads == []
        newest = checkpoint_path(log).read_bytes()
        assert parse_checkpoint(newest, KEY.verify_key).size == COUNT + more
        assert verify_log(log.read_bytes(), "cam1", KEY.verify_key, [note, newest])
        assert len(_files(log)) == (COUNT + more) // WIDTH


def test_a_log_whose_times_went_back_has_no_tiles(tmp_path: Path) -> None:
    """As those of version 0.1: which time was the latest is in no part of it."""
    path = tmp_path / "log"
    with Log(path, "cam1", KEY) as log:
        log.append(Other({"event": "x", "time": "2026-11-21T10"}))
        log.append(*(Other({"event": "x", "time": "2026-11-20T10"}) for _ in range(WIDTH)))
    assert tiles_path(path).exists()
    shutil.rmtree(tiles_path(path))
    with Log(path, "cam1", KEY) as log:
        assert log.latest == "2026-11-21T10"
        assert len(list(log.newest_first(frozenset(), since="2026-11-21"))) == WIDTH + 1
    assert not tiles_path(path).exists()
