"""The cache: computed once, readable by its owner only, and never believed when damaged."""

from __future__ import annotations

import stat

import numpy as np
import pytest

from sealshot.benchmarks.data.cache import Cache, key, open_cache
from sealshot.runtime.errors import InputError


def counted(value):
    calls = []

    def make():
        calls.append(1)
        return {"x": np.array(value)}

    return make, calls


def test_computed_once(tmp_path):
    cache = Cache(tmp_path / "new" / "cache")
    make, calls = counted([1.5, 2.5])
    for _ in range(3):
        assert cache.get("kind", key("a"), make)["x"].tolist() == [1.5, 2.5]
    assert len(calls) == 1
    cache.get("kind", key("b"), make)
    assert len(calls) == 2


def test_for_its_owner_only(tmp_path):
    cache = Cache(tmp_path / "cache")
    cache.get("faces", "name", counted([1])[0])
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in cache.folder.iterdir()} == {0o600}


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"junk", "half"])
def test_damaged_file_is_computed_again(damage, tmp_path, capsys):
    cache = Cache(tmp_path)
    make, calls = counted(list(range(1000)))
    cache.get("kind", "name", make)
    path = tmp_path / "kind-name.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "half" else damage)
    assert len(cache.get("kind", "name", make)["x"]) == 1000
    assert len(calls) == 2
    assert "damaged" in capsys.readouterr().err
    assert path.read_bytes() == whole


def test_nothing_is_kept_of_a_failure(tmp_path):
    def broken():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).get("kind", "name", broken)
    assert list(tmp_path.iterdir()) == []


def test_key_depends_on_all_its_parts():
    names = {key("a", 1), key("a", 2), key("b", 1), key(["a", 1]), key("a1"), key("a", "1")}
    assert len(names) == 6
    assert key({"x": 1, "y": 2}) == key({"y": 2, "x": 1})


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        Cache(tmp_path / "file" / "cache")


def test_the_usual_folder_is_in_the_cache_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("SEALSHOT_CACHE", str(tmp_path / "all"))
    assert open_cache(None).folder == tmp_path / "all" / "evidence"
    assert open_cache(tmp_path / "named").folder == tmp_path / "named"
