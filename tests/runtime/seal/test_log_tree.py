"""The log: its tree, its checkpoints, every way to tamper with it, and crashes in mid-write."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_log import verify_log

from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.checkpoint import (
    LogError,
    checkpoint_path,
    parse_checkpoint,
    write_checkpoint,
)
from sealshot.runtime.seal.entries import Other, Sealed, Stopped
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import lines_in
from sealshot.runtime.seal.merkle import Tree
from sealshot.runtime.seal.signing import SigningKey, VerifyKey

KEY = SigningKey(bytes(range(32)))
COUNT = 9


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + _root(leaves[:k]) + _root(leaves[k:])).digest()


def test_the_tree_is_that_of_the_rfc() -> None:
    leaves = [bytes([n]) * n for n in range(70)]
    for size in range(len(leaves)):
        assert Tree(leaves[:size]).root == _root(leaves[:size])


def test_the_tree_of_certificate_transparency() -> None:
    """Known answers that every implementation of RFC 6962 is tested with."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]  # fmt: skip  # noqa: E501
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    for size, root in roots.items():
        assert Tree(bytes.fromhex(leaf) for leaf in leaves[:size]).root.hex() == root


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of COUNT entries, and its checkpoint."""
    with Log(tmp_path / "log", "cam1", KEY) as made:
        for number in range(COUNT):
            made.append(Other({"event": "sealed", "number": number}))
    return tmp_path / "log"


def _verify(log: bytes, note: bytes, name: str = "cam1") -> Tree:
    return verify_log(log, name, KEY.verify_key, [note])


def test_an_untouched_log_verifies_and_grows(log: Path) -> None:
    old = checkpoint_path(log).read_bytes()
    assert _verify(log.read_bytes(), old).size == COUNT
    with Log(log, "cam1", KEY) as again:
        assert [entry.values["number"] for entry in again.entries()] == list(range(COUNT))
        again.append(Other({"event": "purged"}), Other({"event": "opened"}))
    assert _verify(log.read_bytes(), checkpoint_path(log).read_bytes()).size == COUNT + 2
    assert _verify(log.read_bytes(), old).size == COUNT + 2  # an old checkpoint still holds


Lines = list[bytes]
TAMPERINGS: dict[str, Callable[[Lines, int], Lines]] = {
    "edit": lambda lines, at: [
        *lines[:at],
        lines[at].replace(b"sealed", b"opened"),
        *lines[at + 1 :],
    ],
    "delete": lambda lines, at: [*lines[:at], *lines[at + 1 :]],
    "reorder": lambda lines, at: [*lines[:at], lines[at - 1], *lines[at + 1 :]],
    "double": lambda lines, at: [*lines[: at + 1], *lines[at:]],
    "truncate": lambda lines, at: lines[:at],
    "put in": lambda lines, at: [*lines[:at], b'{"event":"x"} ' + b"A" * 88, *lines[at:]],
}


@pytest.mark.parametrize("tamper", TAMPERINGS.values(), ids=TAMPERINGS.keys())
@pytest.mark.parametrize("at", range(COUNT))
def test_tampering_is_found(
    log: Path, tamper: Callable[[Lines, int], Lines], at: int, tally
) -> None:
    lines = log.read_bytes().split(b"\n")[:-1]
    altered = b"".join(line + b"\n" for line in tamper(lines, at))
    note = checkpoint_path(log).read_bytes()
    attack = "an entry edited, deleted, moved, doubled, put in, cut off"
    tally.refused(attack, lambda: _verify(altered, note), LogError)
    log.write_bytes(altered)
    with pytest.raises(LogError):  # nor is it ever signed
        Log(log, "cam1", KEY)


@pytest.mark.parametrize("at", range(COUNT - 1))
def test_the_owner_of_the_key_cannot_rewrite_what_a_kept_checkpoint_covers(
    at: int, log: Path, tmp_path: Path, tally
) -> None:
    kept = checkpoint_path(log).read_bytes()
    with Log(tmp_path / "rewritten", "cam1", KEY) as rewritten:
        for number in range(COUNT + 3):
            if number != at:
                rewritten.append(Other({"event": "sealed", "number": number}))
    rewritten_log = (tmp_path / "rewritten").read_bytes()
    assert _verify(rewritten_log, checkpoint_path(tmp_path / "rewritten").read_bytes())
    attack = "a log rewritten and signed again, against a kept checkpoint"
    error = tally.refused(attack, lambda: _verify(rewritten_log, kept), LogError)
    assert "not those that were signed" in str(error)


def test_each_flipped_bit_is_found(tmp_path: Path, tally) -> None:
    with Log(tmp_path / "log", "cam1", KEY) as made:
        made.append(
            Other({"event": "sealed", "number": 0}), Other({"event": "purged", "number": 0})
        )
    data, note = made.path.read_bytes(), checkpoint_path(made.path).read_bytes()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        attempt = partial(_verify, bytes(flipped), note)
        tally.refused("each bit flipped of a log", attempt, LogError)


UNFIT = {
    "no JSON": b"{",
    "a list": b"[1]",
    "not canonical": b'{"b": 1}',
    "a fraction": b'{"b":1.5}',
    "a list inside": b'{"b":[1]}',
    "a code for a terminal": b'{"event":"\\u001b[2J"}',
    "a name that is none": b'{"a\\u001b":1}',
}


@pytest.mark.parametrize("text", UNFIT.values(), ids=UNFIT.keys())
def test_a_signed_entry_that_is_none_is_refused(text: bytes) -> None:
    signature = KEY.sign(b"sealshot/log/1\ncam1\n0\n" + text)
    line = text + b" " + base64.b64encode(signature) + b"\n"
    with pytest.raises(LogError, match="is signed, but is no entry"):
        verify_log(line, "cam1", KEY.verify_key, [])


def test_each_flipped_bit_of_a_checkpoint_is_found() -> None:
    note = write_checkpoint("cam1", Tree([b"a", b"b"]), KEY)
    accepted = []
    for bit in range(8 * len(note)):
        flipped = bytearray(note)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            parse_checkpoint(bytes(flipped), KEY.verify_key)
        except LogError:
            continue
        accepted.append(bit // 8)
    assert set(accepted) <= {len(note) - 1}  # the last line feed, which says nothing


def test_a_size_with_a_leading_zero_is_refused() -> None:
    note = write_checkpoint("cam1", Tree([b"a"]), KEY).decode()
    text, signed = note.partition("\n\n")[0], note.rpartition(" ")[2]
    for size in ("1", "01"):
        changed = text.replace("\n1\n", f"\n{size}\n") + "\n"
        signature = base64.b64decode(signed)[:4] + KEY.sign(changed.encode())
        made = f"{changed}\n— sealshot/cam1 {base64.b64encode(signature).decode()}\n".encode()
        if size == "1":
            assert made == note.encode()
        else:
            with pytest.raises(LogError, match="its size"):
                parse_checkpoint(made, KEY.verify_key)


def test_a_checkpoint_is_a_signed_note() -> None:
    text, signature = write_checkpoint("cam1", Tree([b"a"]), KEY).decode().split("\n\n")
    origin, size, root = text.split("\n")
    assert (origin, size, base64.b64decode(root)) == ("sealshot/cam1", "1", Tree([b"a"]).root)
    dash, name, encoded = signature.rstrip("\n").split(" ")
    assert (dash, name) == ("—", origin)
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + KEY.verify_key.key).digest()[:4]
    assert base64.b64decode(encoded)[:4] == key_id
    assert KEY.verify_key.verifies((text + "\n").encode(), base64.b64decode(encoded)[4:])


def test_another_key_or_name_is_refused(log: Path) -> None:
    data, note = log.read_bytes(), checkpoint_path(log).read_bytes()
    with pytest.raises(LogError, match="not signed by that key"):
        verify_log(data, "cam1", SigningKey.generate().verify_key, [note])
    with pytest.raises(LogError, match="of the log of cam1"):
        _verify(data, note, name="cam2")
    with pytest.raises(LogError, match="entry 1"):
        verify_log(data, "cam2", KEY.verify_key, [])


def test_what_a_crash_tore_is_cut_and_what_it_left_uncovered_is_signed(log: Path) -> None:
    old = checkpoint_path(log).read_bytes()
    with Log(log, "cam1", KEY) as more:
        more.append(Other({"event": "sealed", "number": COUNT}))
    checkpoint_path(log).write_bytes(old)  # killed between the entry and its checkpoint
    with log.open("ab") as file:
        file.write(b'{"event":"sea')  # and in the middle of the next
    with Log(log, "cam1", KEY) as healed:
        assert len(list(healed.entries())) == COUNT + 1
    assert _verify(log.read_bytes(), checkpoint_path(log).read_bytes()).size == COUNT + 1


def test_an_entry_that_is_not_signed_is_never_covered(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b'{"event":"opened"} ' + base64.b64encode(bytes(64)) + b"\n")
    with pytest.raises(LogError, match=f"entry {COUNT + 1}"):
        Log(log, "cam1", KEY)


def test_two_processes_do_not_write_one_log(log: Path) -> None:
    with Log(log, "cam1", KEY), pytest.raises(LogError, match="another process"):
        Log(log, "cam1", KEY)


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot write"):
        Log(tmp_path / "absent" / "log", "cam1", KEY)


WRITER = """
import sys
from pathlib import Path
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.signing import SigningKey
with Log(Path(sys.argv[1]), "cam1", SigningKey(bytes(range(32)))) as log:
    print("ready", flush=True)
    for number in range(100_000):
        log.append(Other({"number": number}))
        print(number, flush=True)
"""


def test_a_kill_at_any_moment_loses_no_entry(tmp_path: Path) -> None:
    seen = 0
    for turn in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "log")], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        told = list(itertools.islice(writer.stdout, 3 + 5 * turn))
        writer.kill()
        told += [line for line in writer.stdout.read().splitlines(keepends=True) if line[-1:] == b"\n"]  # fmt: skip  # noqa: E501
        writer.wait()
        with Log(tmp_path / "log", "cam1", KEY) as log:
            count = len(list(log.entries()))
        assert count - seen - len(told) in (0, 1)
        seen = count


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_hostile_bytes_end_in_a_log_error(data: bytes) -> None:
    for hostile in (data, b"sealshot/cam1\n1\n" + data, b"sealshot/cam1\n1\n" + b"A" * 43 + b"=\n\n" + data):  # fmt: skip  # noqa: E501
        with pytest.raises(LogError):
            parse_checkpoint(hostile, KEY.verify_key)
    with pytest.raises(LogError):
        verify_log(data + b"\n", "cam1", KEY.verify_key, [])


def test_a_full_disk_is_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Log(log, "cam1", KEY) as full:

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", fail)
        with pytest.raises(LogError, match="No space left"):
            full.append(Other({"event": "sealed"}))
        monkeypatch.undo()
    with Log(log, "cam1", KEY) as again:
        assert len(list(again.entries())) == COUNT


def test_to_open_a_log_of_years_checks_no_signature_that_its_checkpoint_covers(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera of ten years has millions of entries, and opens its log at each start."""
    checked: list[bytes] = []
    real = VerifyKey.verifies

    def counting(key: VerifyKey, message: bytes, signature: bytes) -> bool:
        checked.append(message)
        return real(key, message, signature)

    monkeypatch.setattr(VerifyKey, "verifies", counting)
    old = checkpoint_path(log).read_bytes()
    with Log(log, "cam1", KEY) as covered:
        assert len(checked) < 5  # the checkpoint's
        covered.append(Other({"event": "sealed", "number": COUNT}))
    checkpoint_path(log).write_bytes(old)
    checked.clear()
    Log(log, "cam1", KEY).close()
    assert sum(message.startswith(b"sealshot/log/1") for message in checked) == 1


def test_entries_of_other_objects_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    entries = [Sealed("2026-11-21T10", "a"), Stopped("2026-11-21T10"), Sealed("2026-11-21T10", "b")]
    with Log(path, "cam1", KEY) as made:
        made.append(*entries)
        assert list(made.entries()) == entries
        assert list(made.newest_first({"b"})) == entries[:0:-1]
        assert list(made.newest_first(frozenset())) == entries[1:2]


@pytest.mark.parametrize("kind", ["fifo", "folder", "endless"])
def test_what_is_no_log_hangs_and_fills_nothing(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)  # sparse
    with pytest.raises((SealError, LogError), match="log"):
        list(lines_in(path))
