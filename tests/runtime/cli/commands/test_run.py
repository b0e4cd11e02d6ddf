"""`sealshot run` from the outside: what it prints, what it leaves, what it refuses."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from sealshot.runtime.cli import main as cli
from sealshot.runtime.vault.store import Vault

SEALSHOT = (sys.executable, "-m", "sealshot")


def sealshot(*argv, **options):
    return subprocess.run(
        [*SEALSHOT, *map(str, argv)], capture_output=True, text=True, timeout=120, **options
    )


def opened(vault, key, out):
    """Open a vault and return what is known about each shot."""
    done = sealshot("open", vault, "--identity", key, "-o", out)
    assert done.returncode == 0, done.stderr
    return [json.loads(p.read_text()) for p in sorted(Path(out).glob("*.json"))]


def test_json_is_for_machines(demo, tmp_path):
    done = sealshot("run", demo.clip, "--to", demo.recipient, "--vault", tmp_path / "v", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["frames"] == 175
    assert summary["people_seen"] == len(summary["people"]) == 2
    assert summary["interrupted"] is False
    assert summary["failure"] is None
    assert summary["fps"] > 0
    assert summary["stages_ms"].keys() == {
        "decode",
        "look",
        "detect",
        "track",
        "score",
        "select",
        "seal",
    }
    for person in summary["people"]:
        assert (tmp_path / "v" / person["object_id"]).is_file()
        assert 0 <= person["percentile"] <= 100


def test_a_percentile_is_explained_where_it_is_printed(demo, tmp_path):
    done = sealshot("run", demo.clip, "--to", demo.recipient, "--vault", tmp_path / "v")
    assert "percentile" in done.stdout.splitlines()[0]
    assert "percentile: the share of the photographs that the score was trained on" in done.stderr
    assert "% of the photographs" in opened(tmp_path / "v", demo.key, tmp_path / "o")[0]["reason"]


def test_what_is_opened_is_what_was_said(demo, tmp_path):
    done = sealshot(
        *("run", demo.clip, "--to", demo.recipient, "--vault", tmp_path / "v", "--json"),
        *("--clip", "0.5", "--picture", "png", "--emit", "live"),
    )
    people = {p["track"]: p for p in json.loads(done.stdout)["people"]}
    shots = opened(tmp_path / "v", demo.key, tmp_path / "out")
    assert {s["track"] for s in shots} == people.keys()
    assert len(shots) == 2  # each improvement took the place of the one before it
    for shot in shots:
        person = people[shot["track"]]
        assert (shot["frame"], shot["score"]) == (person["frame"], person["score"])
        assert shot["source"] == str(demo.clip)
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    clips = list((tmp_path / "out").glob("*.mkv"))
    assert len(clips) == 2
    for clip in clips:
        assert 20 <= clip.read_bytes().count(b"\xff\xd8\xff") <= 30  # a second at 25 fps


def test_ctrl_c_keeps_a_shot_of_everyone_seen_so_far(demo, tmp_path):
    vault = tmp_path / "v"
    # the same clip as a camera would give it, again and again, would never end: stop it half-way
    run = subprocess.Popen(
        [*SEALSHOT, "run", demo.clip, "--to", demo.recipient, "--vault", vault, "--json",
         "--emit", "timely", "--within", "0.2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(vault.glob("*/*.age")) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert "Traceback" not in err
    summary = json.loads(out)
    assert summary["interrupted"] is True
    assert 0 < summary["frames"] < 175
    shots = opened(vault, demo.key, tmp_path / "out")
    assert len(shots) == summary["people_seen"] >= 1
    assert not list(vault.glob("*/*.part"))


def test_zero_faces_is_no_error(demo, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(3):
        cv2.imwrite(str(pictures / f"{i}.png"), np.full((120, 160, 3), 90, np.uint8))
    done = sealshot("run", pictures, "--to", demo.recipient, "--vault", tmp_path / "v")
    assert done.returncode == 0, done.stderr
    assert "0 people in 3 frames" in done.stdout
    assert not list((tmp_path / "v").glob("*/*"))


@pytest.mark.parametrize(
    ("source", "to", "options", "fact"),
    [
        ("missing.mp4", None, (), "there is no file"),
        ("text.mp4", None, (), "text file"),
        ("noise.mp4", None, (), "not a video"),
        ("empty", None, (), "no image"),
        ("clip", "age1notakey", (), "recipient"),
        ("clip", "AGE-SECRET-KEY-1QQQQ", (), "identity (secret)"),
        ("clip", None, ("--score", "best"), "there is no score 'best'"),
        ("clip", None, ("--score", "gone.onnx"), "there is no model file"),
        ("clip", None, ("--detector", "hog"), "there is no detector 'hog'"),
        ("clip", None, ("--tracker", "sort"), "there is no tracker 'sort'"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(demo, tmp_path, source, to, options, fact):
    (tmp_path / "text.mp4").write_text("hello\n" * 99)
    (tmp_path / "noise.mp4").write_bytes(os.urandom(9999))
    (tmp_path / "empty").mkdir()
    path = demo.clip if source == "clip" else tmp_path / source
    done = sealshot("run", path, "--to", to or demo.recipient, "--vault", tmp_path / "v", *options)
    assert done.returncode == 2, done.stderr
    assert fact in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list((tmp_path / "v").glob("*/*"))


def test_a_vault_that_fails_half_way_keeps_what_was_acknowledged(
    demo, tmp_path, monkeypatch, capsys
):
    store, calls = Vault.store, []

    def failing(self, sealed, *args, **options):
        calls.append(sealed)
        if len(calls) == 2:
            monkeypatch.setattr(os, "fsync", _no_space)
        return store(self, sealed, *args, **options)

    monkeypatch.setattr(Vault, "store", failing)
    argv = ["run", demo.clip, "--to", demo.recipient, "--vault", tmp_path / "v", "--json"]
    code = cli.main(list(map(str, argv)))
    monkeypatch.undo()
    out, err = capsys.readouterr()
    assert code == 1
    assert "No space left" in err or "full" in err
    assert "hint: " in err
    summary = json.loads(out)
    assert summary["people_seen"] == 1
    assert len(opened(tmp_path / "v", demo.key, tmp_path / "out")) == 1
    assert not list((tmp_path / "v").glob("*/*.part"))


def _no_space(fd):
    raise OSError(28, "No space left on device")


def test_nothing_plain_touches_the_disk(demo, tmp_path):
    """Watch every file that a run and its threads open, and what is written to them."""
    if shutil.which("strace") is None:
        if os.environ.get("CI"):
            pytest.fail("`strace` is not installed (apt-get install strace)")
        pytest.skip("`strace` is not installed")
    vault, log = tmp_path / "v", tmp_path / "log"
    done = subprocess.run(
        ["strace", "-f", "-o", log, "-e", "trace=open,openat,creat,memfd_create,link,mknod",
         *SEALSHOT, "run", demo.clip, "--to", demo.recipient, "--vault", vault, "--clip", "0.3"],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = {
        match["path"]
        for match in re.finditer(
            r'open(?:at)?\([^"]*"(?P<path>[^"]*)", (?P<flags>[A-Z_|]+)[^=]*= \d', log.read_text()
        )
        if re.search(r"O_WRONLY|O_RDWR|O_CREAT", match["flags"])
    }
    elsewhere = {
        path for path in written if not path.startswith((str(vault), "/dev/null", "/proc/self/"))
    }
    assert elsewhere == set()
    assert any(path.endswith(".age.part") for path in written)  # the watch sees what is written
    # memory that the process which decodes shares with this one: on no disk, as all of either's
    assert set(re.findall(r'memfd_create\("([^"]*)"', log.read_text())) == {"pictures"}
    for path in vault.rglob("*.age"):
        sealed = path.read_bytes()
        assert sealed.startswith(b"age-encryption.org/v1\n")
        body = sealed[sealed.index(b"\n--- ") :]
        assert b"JFIF" not in body
        assert b"shot.json" not in body
