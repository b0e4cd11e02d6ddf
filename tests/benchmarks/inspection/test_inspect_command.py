"""`sealshot inspect` from the outside: what it says, what it draws, what it refuses."""

import errno
import json
import os
import re
import stat
import subprocess
import sys

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.inspection.command import inspect, main
from sealshot.runtime.cli import main as cli
from sealshot.runtime.errors import InputError, SealshotError, SourceError
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.pipeline.sinks import Sink


@pytest.fixture(scope="module")
def inspected(demo, tmp_path_factory):
    """The demo clip, inspected: the folder and what was printed."""
    folder = tmp_path_factory.mktemp("inspect") / "new" / "folder"
    done = sealshot("inspect", demo.clip, "-o", folder, "--json")
    return folder, done


def sealshot(*argv):
    """Run the program; return what it gave."""
    command = [sys.executable, "-m", "sealshot", *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def table(folder):
    return json.loads((folder / "tracks.json").read_text())


def without_part_files(folder):
    return not list(folder.glob("*.part"))


def test_it_says_first_that_it_writes_plain_faces(inspected):
    _, done = inspected
    first = done.stderr.splitlines()[0]
    assert first.startswith("warning:")
    assert "PLAIN FACES" in first


def test_the_warning_comes_before_the_work(tmp_path, capfd):
    with pytest.raises(InputError):
        main([str(tmp_path / "absent.mp4"), "-o", str(tmp_path / "out")])
    assert "PLAIN FACES" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_it_chooses_what_run_chooses(demo, inspected, tmp_path):
    done = sealshot("run", demo.clip, "--to", demo.recipient, "--vault", tmp_path / "v", "--json")
    same = ("track", "frame", "time_s", "score", "percentile", "frames_seen")
    sealed = [{k: p[k] for k in same} for p in json.loads(done.stdout)["people"]]
    drawn = [{k: t[k] for k in same} for t in table(inspected[0])["tracks"]]
    assert len(drawn) == 2
    assert drawn == sealed


def test_json_is_what_is_in_the_folder(inspected):
    folder, done = inspected
    assert json.loads(done.stdout) == table(folder)


def test_the_index_shows_every_picture_and_every_picture_can_be_read(inspected):
    folder, _ = inspected
    page = (folder / "index.html").read_text()
    shown = set(re.findall(r'(?:src|href)="([^"]+)"', page))
    pictures = {p.name for p in folder.iterdir()} - {"index.html", "tracks.json"}
    assert shown == pictures
    assert all(cv2.imread(str(folder / name)) is not None for name in pictures)
    assert "plain faces" in page


def test_each_track_has_its_four_pictures(inspected):
    folder, _ = inspected
    for track in table(folder)["tracks"]:
        assert track["files"].keys() == {"shot", "strip", "scores", "frame"}
        x0, _, x1, _ = track["box"]
        shot = cv2.imread(str(folder / track["files"]["shot"]))
        assert min(shot.shape[:2]) > 1.5 * (x1 - x0)  # with margin, not shrunk
        assert track["worst_score"] < track["score"]
        assert track["first_s"] <= track["time_s"] <= track["last_s"]


def test_one_crop_of_each_strip_is_framed(inspected):
    folder, _ = inspected
    for track in table(folder)["tracks"]:
        strip = cv2.imread(str(folder / track["files"]["strip"])).astype(int)
        green = np.abs(strip[1] - (80, 200, 60)).max(axis=1) < 30  # along the upper edge
        starts = np.flatnonzero(np.diff(green.astype(int)) == 1)
        assert len(starts) + green[0] == 1
        assert 110 < green.sum() < 130


def test_only_the_owner_can_read_them(inspected):
    folder, _ = inspected
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    assert all(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in folder.iterdir())


def test_a_folder_that_holds_something_is_refused(demo, tmp_path, capfd):
    (tmp_path / "letter.txt").write_text("keep me")
    assert cli.main(["inspect", str(demo.clip), "-o", str(tmp_path)]) == 2
    said = capfd.readouterr().err
    assert "not empty" in said
    assert "--force" in said
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_force_replaces_an_older_inspection_and_nothing_else(demo, tmp_path, reports):
    names = ["letter.txt", "track-9999-shot.jpg", "frame-009999.jpg", "track-0001-shot.jpg.part"]
    for name in names:
        (tmp_path / name).write_text("old")
    settings = Settings(source=str(demo.clip), stop_after_s=1.0)
    inspect(settings, tmp_path, force=True)
    assert reports == []
    assert (tmp_path / "letter.txt").read_text() == "old"
    assert not any((tmp_path / name).exists() for name in names[1:])
    assert (tmp_path / "index.html").exists()


@pytest.mark.parametrize(
    ("error", "interrupted"),
    [(KeyboardInterrupt(), True), (SourceError("the camera went away", "plug it in"), False)],
    ids=["Ctrl-C", "lost camera"],
)
def test_what_ends_it_early_leaves_what_was_seen(demo, tmp_path, reports, error, interrupted):
    class Last(Sink):
        frames = 0

        def seen(self, _seen):
            self.frames += 1
            if self.frames == 90:
                raise error

    settings = Settings(source=str(demo.clip))
    found, failure = inspect(settings, tmp_path, connect=lambda *_: [Last()])
    assert reports == []
    assert failure is (None if interrupted else error)
    assert found.interrupted is interrupted
    assert found.frames == 90
    assert len(found.tracks) == 2  # both are in the picture by then
    assert table(tmp_path)["interrupted"] is interrupted
    assert all((tmp_path / f).is_file() for t in found.tracks for f in t.files.values())
    assert without_part_files(tmp_path)


def test_a_failure_is_told_with_its_exit_code(demo, tmp_path, capfd, monkeypatch):
    lost = SourceError("the camera went away", "plug it in")
    monkeypatch.setattr(
        "sealshot.benchmarks.inspection.command.inspect",
        lambda *a, **k: (inspect(*a, **k)[0], lost),
    )
    out = str(tmp_path / "out")
    assert cli.main(["inspect", str(demo.clip), "-o", out, "--stop-after", "1"]) == 1
    said = capfd.readouterr()
    assert "the camera went away" in said.err
    assert "1 person in" in said.out


def test_a_full_disk_leaves_no_half_file(demo, tmp_path, monkeypatch, reports):
    def full(_fd):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sealshot.runtime.files.os.fsync", full)
    settings = Settings(source=str(demo.clip), stop_after_s=3.0)
    with pytest.raises(SealshotError, match="No space left") as raised:
        inspect(settings, tmp_path / "out")
    assert raised.value.exit_code == 1
    assert reports == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_video_without_a_face_has_an_empty_index(tmp_path, capfd):
    for i in range(3):
        noise = np.random.default_rng(i).integers(0, 256, (120, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{i}.png"), noise)
    out = tmp_path / "out"
    assert cli.main(["inspect", str(tmp_path), "-o", str(out), "--fps", "25"]) == 0
    assert "0 people in 3 frames" in capfd.readouterr().out
    assert {p.name for p in out.iterdir()} == {"index.html", "tracks.json"}


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        (["clip.avi"], "-o"),
        (["-o", "out"], "source"),
        (["{clip}", "-o", "{file}"], "cannot write"),
        (["{file}", "-o", "{out}"], "text file"),
        (["{clip}", "-o", "{out}", "--score", "beauty"], "no score 'beauty'"),
        (["{clip}", "-o", "{out}", "--detector", "haar"], "no detector 'haar'"),
        (["{clip}", "-o", "{out}", "--tracker", "sort"], "no tracker 'sort'"),
        (["{clip}", "-o", "{out}", "--min-face", "0"], "not a whole number"),
        (["{clip}", "-o", "{out}", "--stop-after", "never"], "not a number of seconds"),
        (["{clip}", "-o", "{out}", "--fps", "-1"], "not a rate"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(demo, tmp_path, capfd, argv, fact):
    file = tmp_path / "letter.txt"
    file.write_text("no video")
    places = {"clip": demo.clip, "file": file, "out": tmp_path / "out"}
    assert cli.main(["inspect", *(a.format(**places) for a in argv)]) == 2
    said = capfd.readouterr().err
    assert fact in said
    assert "hint:" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_help_says_that_faces_are_plain(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "PLAIN FACES" in capsys.readouterr().out
