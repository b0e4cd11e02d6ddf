"""`run --stills`: four people in four pictures are four people, and one in one is one."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from sealshot.runtime.cli.main import main
from sealshot.runtime.demo.clip import PORTRAIT


@pytest.fixture
def album(tmp_path) -> Path:
    """The same face at the same place of four pictures, and a picture of nobody."""
    folder = tmp_path / "album"
    folder.mkdir()
    picture = cv2.imread(str(PORTRAIT))
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    cv2.imwrite(str(folder / "nobody.png"), picture // 255)
    return folder


def run(source: Path, *options: str, identity, tmp_path, capsys) -> dict:
    to = ["--to", str(identity.recipient), "--vault", str(tmp_path / "vault"), "--json"]
    assert main(["run", str(source), *to, *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_picture_of_a_folder_stands_alone(album, identity, tmp_path, capsys) -> None:
    summary = run(album, "--stills", identity=identity, tmp_path=tmp_path, capsys=capsys)
    assert (summary["people_seen"], summary["frames"]) == (4, 5)
    assert [person["frame"] for person in summary["people"]] == [0, 1, 2, 3]


def test_one_picture_has_who_is_on_it(album, identity, tmp_path, capsys) -> None:
    summary = run(album / "0.png", identity=identity, tmp_path=tmp_path, capsys=capsys)
    assert (summary["people_seen"], summary["frames"]) == (1, 1)


def test_a_video_is_no_still(tmp_path, capsys) -> None:
    clip = tmp_path / "clip.avi"
    clip.touch()
    for source in (str(clip), "rtsp://camera/live"):
        vault = ["--to", "age1", "--vault", str(tmp_path / "vault")]
        vault[1] = "age1u2grjuvlkqzv8udl5dpuft2rdjgypc3v539vx7uns4g8q8tmkqlqcyr9qt"
        assert main(["run", source, "--stills", *vault]) == 2
        assert "is no picture" in capsys.readouterr().err
