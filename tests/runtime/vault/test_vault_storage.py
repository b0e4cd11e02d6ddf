"""The vault: what it stores, what it says when it cannot, and what stands after a crash."""

from __future__ import annotations

import errno
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from sealshot.runtime.errors import InputError, VaultError
from sealshot.runtime.vault import store as vault
from sealshot.runtime.vault.store import Vault, list_objects


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != vault.LOCK
    }


def test_objects_are_stored_by_day_under_random_names(tmp_path: Path) -> None:
    before = datetime.now(timezone.utc)
    with Vault(tmp_path / "deep" / "vault") as store:
        ids = [store.store(b"one"), store.store(b"two")]
    days = {f"{time:%Y-%m-%d}" for time in (before, datetime.now(timezone.utc))}
    for object_id in ids:
        day, name = object_id.split("/")
        assert day in days
        assert re.fullmatch(r"[0-9a-f]{32}\.age", name)
    assert _files(tmp_path / "deep" / "vault") == dict(zip(ids, (b"one", b"two"), strict=True))
    assert len(set(ids)) == 2


def test_listing_needs_no_key_and_skips_what_is_foreign(tmp_path: Path) -> None:
    with Vault(tmp_path) as store:
        ids = [store.store(bytes(size)) for size in (5, 7)]
    os.utime(tmp_path / ids[0], (2_000_000_000, 2_000_000_000.75))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / ("0" * 32 + ".age")).write_bytes(b"x")
    (tmp_path / ids[0]).with_name("short.age").write_bytes(b"x")
    (tmp_path / ids[0]).with_name("0" * 32 + ".age.part").write_bytes(b"x")
    newer, older = list_objects(tmp_path)[::-1]
    assert (newer.id, newer.bytes, newer.path) == (ids[0], 5, tmp_path / ids[0])
    assert newer.sealed_at == datetime.fromtimestamp(2_000_000_000, timezone.utc).replace(
        microsecond=750_000
    )
    assert (older.id, older.bytes) == (ids[1], 7)


def test_listing_what_is_no_vault(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, fact in (("absent", "No such file"), ("file", "Not a directory")):
        with pytest.raises(InputError, match=fact):
            list_objects(tmp_path / path)
    assert list_objects(tmp_path) == []


def test_a_replaced_object_goes_when_the_new_one_is_there(tmp_path: Path) -> None:
    with Vault(tmp_path) as store:
        first = store.store(b"first")
        other = store.store(b"other")
        second = store.store(b"second", replaces=first)
        assert _files(tmp_path) == {other: b"other", second: b"second"}
        third = store.store(b"third", replaces=first)  # gone already: uploaded and purged
        assert _files(tmp_path) == {other: b"other", second: b"second", third: b"third"}


def test_only_an_object_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"x")
    with Vault(tmp_path / "vault") as store:
        for wrong in ("../precious", "precious", "2026-11-21/../../../precious", ""):
            with pytest.raises(ValueError, match="replaces"):
                store.store(b"new", replaces=wrong)
    assert _files(tmp_path) == {"precious": b"x"}


def test_the_order_of_writes_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, then its name, then the name of its folder; the old object goes last."""
    with Vault(tmp_path / "vault") as store:
        first = store.store(b"first", name=f"2026-11-20/{'0' * 32}.sealed")
        calls: list[str] = []

        def record(target: object, name: str, tell: Callable[..., str]) -> None:
            real = getattr(target, name)

            def call(*args: object, **kwargs: object) -> object:
                calls.append(tell(*args))
                return real(*args, **kwargs)

            monkeypatch.setattr(target, name, call)

        def tell_fd(fd: int) -> str:
            path = Path(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115
            return "fsync " + ("data" if path.is_file() else path.name)

        record(os, "fsync", tell_fd)
        record(Path, "replace", lambda *_: "rename")
        record(Path, "mkdir", lambda path: "mkdir")
        record(Path, "unlink", lambda path: "unlink")
        second = store.store(b"second", replaces=first, stored=lambda _: calls.append("stored"))
    day = second[:10]
    assert calls == [
        "mkdir",
        "fsync vault",
        "fsync data",
        "rename",
        f"fsync {day}",
        "stored",
        "unlink",
        "fsync 2026-11-20",
    ]


def test_what_a_killed_run_left_is_cleaned_and_nothing_else(tmp_path: Path) -> None:
    with Vault(tmp_path) as store:
        kept = store.store(b"kept")
    day = (tmp_path / kept).parent
    (day / ("a" * 32 + ".age.part")).write_bytes(b"half")
    (day / "mine.part").write_bytes(b"not ours")
    (tmp_path / "music.part").write_bytes(b"not ours")
    Vault(tmp_path).close()
    assert sorted(_files(tmp_path)) == sorted([kept, f"{day.name}/mine.part", "music.part"])


def test_empty_epochs_go_when_they_are_over_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    with Vault(tmp_path) as store:
        old, new = f"2026-01-01/{'a' * 32}.sealed", f"2026-01-02/{'b' * 32}.sealed"
        for name in (old, new):
            store.store(b"x", name=name)
            (tmp_path / f"{name}.part").write_bytes(b"half")
        assert store.delete(old, old, new) == [old, new]
        (tmp_path / "2026-01-03").mkdir()
        (tmp_path / "2026-01-03" / "mine").write_bytes(b"x")
        (tmp_path / "holiday").mkdir()
        store.sweep(lambda epoch: epoch < "2026-01-02")
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
            "2026-01-02",
            "2026-01-03",
            "holiday",
        ]
    Vault(tmp_path).close()  # alone, it takes all empty epochs
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        "2026-01-03",
        "holiday",
    ]
    assert list(_files(tmp_path)) == ["2026-01-03/mine"]


def test_only_objects_can_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"x")
    with Vault(tmp_path / "vault") as store:
        kept = store.store(b"kept")
        for wrong in ("../precious", "", f"{kept}.part"):
            with pytest.raises(ValueError, match="id of an object"):
                store.delete(kept, wrong)
        assert _files(tmp_path / "vault") == {kept: b"kept"}


def test_listing_while_a_run_purges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Vault(tmp_path) as store:
        kept = store.store(b"kept", name=f"2026-01-01/{'a' * 32}.sealed")
        gone = store.store(b"gone", name=f"2026-01-02/{'b' * 32}.sealed")
        real = Path.lstat

        def lstat(path: Path) -> os.stat_result:
            store.delete(gone)
            return real(path)

        monkeypatch.setattr(Path, "lstat", lstat)
        assert [found.id for found in list_objects(tmp_path)] == [kept]


def test_a_run_does_not_clean_up_after_one_that_lives(tmp_path: Path) -> None:
    with Vault(tmp_path) as living:
        day = (tmp_path / living.store(b"x")).parent
        part = day / ("b" * 32 + ".age.part")
        part.write_bytes(b"being written")
        with Vault(tmp_path) as second:
            assert part.exists()
            second.store(b"y")
    with Vault(tmp_path):
        assert not part.exists()
    assert len(list_objects(tmp_path)) == 2


FAULTS = {
    errno.ENOSPC: ("No space left", "what was sealed before is kept"),
    errno.EDQUOT: ("quota", "what was sealed before is kept"),
    errno.EROFS: ("Read-only", "mount"),
    errno.EIO: ("Input/output", "storage"),
    errno.EMFILE: ("Too many open files", "check"),
}


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace", "mkdir"])
@pytest.mark.parametrize("number", FAULTS, ids=errno.errorcode.get)
def test_each_failing_step_is_told_and_loses_nothing(
    number: int, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Vault(tmp_path) as store:
        kept = store.store(b"kept")
        if step == "mkdir":
            (tmp_path / "other").mkdir()
            monkeypatch.setattr(vault, "make_durable_folder", lambda _path: _raise(number))
        elif step == "write":
            monkeypatch.setattr(os, "fdopen", _failing_file(number))
        elif step == "replace":
            monkeypatch.setattr(Path, "replace", lambda *_: _raise(number))
        else:
            monkeypatch.setattr(os, step, lambda *_: _raise(number))
        with pytest.raises(VaultError, match=FAULTS[number][0]) as caught:
            store.store(b"new", replaces=kept)
        monkeypatch.undo()
    assert FAULTS[number][1] in caught.value.hint
    assert caught.value.exit_code == 1
    assert _files(tmp_path) == {kept: b"kept"}


def _raise(number: int) -> None:
    raise OSError(number, os.strerror(number))


def _failing_file(number: int) -> Callable[..., object]:
    real = os.fdopen

    class Failing:
        def __init__(self, fd: int, mode: str) -> None:
            self._file = real(fd, mode)

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def write(self, data: bytes) -> None:
            self._file.write(data[:1])
            _raise(number)

    return Failing


def test_a_full_disk_keeps_what_was_acknowledged(small_disk: Path) -> None:
    objects: dict[str, bytes] = {}
    with Vault(small_disk / "vault") as store:
        with pytest.raises(VaultError, match="No space left"):  # noqa: PT012
            for _ in range(100):
                data = secrets.token_bytes(20_000)
                objects[store.store(data)] = data
        assert 5 < len(objects) < 14
        assert _files(small_disk / "vault") == objects
        gone = next(iter(objects))
        (small_disk / "vault" / gone).unlink()
        data = objects.pop(gone)
        objects[store.store(data)] = data  # there is room again
    assert _files(small_disk / "vault") == objects


def test_a_read_only_disk(small_disk: Path) -> None:
    with Vault(small_disk / "vault") as store:
        kept = store.store(b"kept")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for folder in ("vault", "another"):
        with pytest.raises(VaultError, match="Read-only") as caught:
            Vault(small_disk / folder)
        assert "mount" in caught.value.hint
    assert [found.id for found in list_objects(small_disk / "vault")] == [kept]


def test_a_limit_on_file_size_is_told(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from sealshot.runtime.vault.store import Vault\n"
        "store = Vault(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))\n"
        "store.store(bytes(9000)); store.store(bytes(20000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True
    )
    assert "VaultError" in done.stderr
    assert "File too large" in done.stderr
    assert [len(data) for data in _files(tmp_path).values()] == [9000]


@pytest.mark.parametrize("path", ["file", "file/vault", "file/of/vault", "dangling"])
def test_a_vault_that_is_no_folder(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"precious")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(InputError, match=f"{path.partition('/')[0]} is not a folder"):
        Vault(tmp_path / path)
    (tmp_path / "dangling").unlink()
    assert _files(tmp_path) == {"file": b"precious"}


def test_a_vault_without_permission() -> None:
    """Root may write anywhere, so that the test acts as `nobody` for a moment."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "owned"
        folder.mkdir()
        Path(name).chmod(0o755)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(VaultError, match="Permission denied") as caught:
                Vault(folder)
            with pytest.raises(VaultError, match="Permission denied"):
                Vault(folder / "vault")
        finally:
            os.seteuid(user)
        assert "right to write" in caught.value.hint
