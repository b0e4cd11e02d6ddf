"""`run` and `inspect` take the same options of the stages, mean the same, and say the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from sealshot.benchmarks.inspection import command as inspect_command
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli import main as cli
from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.commands import run as run_command
from sealshot.runtime.cli.commands.watching import USAGE, add_watching, watching
from sealshot.runtime.errors import InputError
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.sources import Tls

# option, what a user gives (None: nothing), the setting that it is
OPTIONS = [
    ("--stills", None, {"stills": True, "detector": "mtcnn:exact"}),
    ("--detector", "mtcnn:exact", {"detector": "mtcnn:exact"}),
    ("--min-face", "24", {"min_face_px": 24}),
    ("--tracker", "euclidean", {"tracker": "euclidean"}),
    ("--min-seen", "1.5", {"min_seen_s": 1.5}),
    ("--score", "rp", {"score": "rp"}),
    ("--engine", "onnxruntime", {"engine": "onnxruntime"}),
    ("--precision", "int8", {"precision": "int8"}),
    ("--fps", "12.5", {"fps": 12.5}),
    ("--aspect", "16:9", {"aspect": Fraction(16, 9)}),
    ("--ca-file", "camera.pem", {"tls": Tls(ca_file=Path("camera.pem"))}),
    ("--tls-unverified", None, {"tls": Tls(verify=False)}),
    ("--no-sandbox", None, {"sandbox": False}),
    ("--hwaccel", "cuda:1", {"hwaccel": "cuda:1"}),
    ("--stop-after", "60", {"stop_after_s": 60.0}),
]
COMMANDS = {
    "run": (run_command, ("--to", str(X25519Identity.generate().recipient), "--vault", "vault")),
    "inspect": (inspect_command, ("-o", "out")),
}


class AskedError(Exception):
    """A command came as far as its work."""


@pytest.fixture(params=COMMANDS)
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return the settings that a command line asks for, without doing the work."""
    module, needed = COMMANDS[request.param]

    def work(settings: Settings, *_: object, **__: object) -> None:
        raise AskedError(settings)

    monkeypatch.setattr(module, request.param, work)

    def ask(*options: str) -> Settings:
        with pytest.raises(AskedError) as asked:
            cli.main([request.param, "crowd.mp4", *needed, *options])
        return asked.value.args[0]

    return ask


def test_without_options_the_settings_are_the_defaults(asked: Callable[..., Settings]) -> None:
    assert asked() == Settings(source="crowd.mp4")


@pytest.mark.parametrize(("option", "given", "setting"), OPTIONS)
def test_each_option_is_a_setting(
    asked: Callable[..., Settings], option: str, given: str | None, setting: dict[str, object]
) -> None:
    options = (option,) if given is None else (option, given)
    assert asked(*options) == Settings(source="crowd.mp4", **setting)  # type: ignore[arg-type]


def test_who_lets_ffmpeg_read_in_this_process_is_told_what_that_means(
    asked: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    asked()
    assert "FFmpeg" not in capsys.readouterr().err
    asked("--no-sandbox")
    assert "FFmpeg reads in this process" in capsys.readouterr().err


def test_every_option_that_the_usage_names_is_tried_here() -> None:
    named = re.findall(r"^  (--[a-z-]+) ", USAGE, re.MULTILINE)
    named.remove("--source-file")  # below
    assert named == [option for option, _, _ in OPTIONS]


def test_one_picture_is_taken_as_such(tmp_path: Path) -> None:
    picture = tmp_path / "face.JPG"
    picture.touch()
    arguments = Arguments("run", "")
    add_watching(arguments)
    settings = watching(arguments, arguments.parse_args([str(picture)]))
    assert settings == Settings(source=str(picture), stills=True, detector="mtcnn:exact")


@pytest.mark.parametrize("option", ["--tracker", "--min-seen"])
def test_pictures_that_stand_alone_have_no_options_of_videos(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, (_, needed) in COMMANDS.items():
        assert cli.main([command, "album/", "--stills", option, "1", *needed]) == 2
        assert f"{option} is for a video" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_the_source_stands_in_a_file_or_on_the_line(
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module, needed = COMMANDS[command]
    asked: list[Settings] = []

    def work(settings: Settings, *_: object, **__: object) -> None:
        asked.append(settings)
        raise InputError("seen")

    monkeypatch.setattr(module, command, work)
    file = tmp_path / "source"
    file.write_text("rtsp://user:geheim@camera/live\n")
    file.chmod(0o600)
    assert cli.main([command, "--source-file", str(file), *needed]) == 2
    assert asked == [Settings(source="rtsp://user:geheim@camera/live")]
    for wrong in (["crowd.mp4", "--source-file", str(file)], []):
        assert cli.main([command, *wrong, *needed]) == 2
        assert "give one source" in capsys.readouterr().err
    assert len(asked) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_the_usage_is_the_same(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert USAGE in capsys.readouterr().out
