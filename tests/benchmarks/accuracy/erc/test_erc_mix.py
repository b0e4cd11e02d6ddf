"""`sealshot erc mix`: a copy of a data set of which a share is degraded, whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.runtime.cli.main import main


def run(people, cache, out, *argv):
    return main(["erc", "mix", str(people), "-o", str(out), "--cache", str(cache), *argv])


def read(folder):
    files = sorted(folder.glob("*/*"))
    return {file.relative_to(folder).as_posix(): cv2.imread(str(file)) for file in files}


def test_a_share_is_degraded_and_the_rest_is_as_it_was(people, shared_cache, tmp_path, capsys):
    assert run(people, shared_cache, tmp_path / "clean", "--share", "0") == 0
    printed = capsys.readouterr()
    assert "20 pictures" in printed.out
    assert "no face found, first p0/nobody.png" in printed.err
    assert run(people, shared_cache, tmp_path / "half", "--share", "0.5") == 0
    assert run(people, shared_cache, tmp_path / "all", "--share", "1") == 0
    assert "20 of them degraded" in capsys.readouterr().out
    clean, half, every = (read(tmp_path / name) for name in ("clean", "half", "all"))
    assert list(clean) == list(half) == list(every)
    assert {name.split("/")[0] for name in clean} == {"p0", "p1", "p2", "p3"}
    assert {image.shape for image in every.values()} == {(192, 192, 3)}
    changed = [not np.array_equal(clean[name], half[name]) for name in clean]
    assert 3 < sum(changed) < 17
    assert not any(np.array_equal(clean[name], every[name]) for name in clean)


def test_the_copy_is_a_data_set(people, models, shared_cache, tmp_path, capsys):
    assert run(people, shared_cache, tmp_path / "mixed", "--share", "0.2") == 0
    argv = ["--recognizer", str(models / "matcher.onnx"), "--score", "sharpness"]
    cache = ["--cache", str(shared_cache), "--fnmr", "0.2"]
    assert main(["erc", str(tmp_path / "mixed"), *argv, *cache]) == 0
    assert "sharpness" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_copy(people, shared_cache, tmp_path):
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert run(people, shared_cache, tmp_path / name, "--seed", seed) == 0
    a, b, c = (read(tmp_path / name) for name in "abc")
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not all(np.array_equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        pytest.param(KeyboardInterrupt(), 130, "interrupted", id="Ctrl-C"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), 1, "No space", id="full"),
    ],
)
def test_a_copy_that_ends_half_way_leaves_nothing(
    end, code, told, people, shared_cache, tmp_path, monkeypatch, capsys
):
    written = []
    write = Path.write_bytes

    def end_at_the_fifth(path, data):
        if path.suffix == ".png":
            written.append(path)
            if len(written) == 5:
                raise end
        return write(path, data)

    assert run(people, shared_cache, tmp_path / "warm") == 0  # the cache is written now
    monkeypatch.setattr(Path, "write_bytes", end_at_the_fifth)
    assert run(people, shared_cache, tmp_path / "mixed") == code
    assert len(written) == 5
    assert told in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["warm"]


def test_a_larger_share_degrades_the_same_pictures_and_more(people, shared_cache, tmp_path):
    for share in ("0", "0.3", "0.7"):
        assert run(people, shared_cache, tmp_path / share, "--share", share) == 0
    clean, few, many = (read(tmp_path / share) for share in ("0", "0.3", "0.7"))
    degraded = [name for name in clean if not np.array_equal(few[name], clean[name])]
    assert 0 < len(degraded) < len(clean)
    assert all(np.array_equal(few[name], many[name]) for name in degraded)
    assert sum(not np.array_equal(many[name], clean[name]) for name in clean) > len(degraded)


def test_all_may_be_seen_at_night(people, shared_cache, tmp_path, capsys):
    night = ["--share", "1", "--way", "infrared at night"]
    assert run(people, shared_cache, tmp_path / "night", *night) == 0
    assert "infrared at night: 20" in capsys.readouterr().err
    for image in read(tmp_path / "night").values():
        assert (image == image[..., :1]).all()  # grey


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        pytest.param(["--way", "fog"], "there is no degradation 'fog'", id="way"),
        pytest.param(["--share", "1.5"], "'1.5' is not a share from 0 to 1", id="share"),
        pytest.param(["--seed", "-1"], "'-1' is not a whole number of 0 or more", id="seed"),
        pytest.param(["--detector", "none"], "none", id="detector"),
    ],
)
def test_wrong_arguments(argv, told, people, shared_cache, tmp_path, capsys):
    assert run(people, shared_cache, tmp_path / "mixed", *argv) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(people, shared_cache, tmp_path, capsys):
    (tmp_path / "kept").write_text("mine")
    assert run(people, shared_cache, tmp_path) == 2
    assert "already there" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
