"""`sealshot serve` and `status`, as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from states import NOW, a_camera, a_state

from sealshot.runtime.cli.commands.serving import Cameras
from sealshot.runtime.cli.main import main
from sealshot.runtime.service.decode import decode
from sealshot.runtime.service.state import write_state
from sealshot.runtime.vault.store import list_objects

CAMERA = Path(__file__).parents[3] / "mjpeg_camera.py"
LEFT_HALF = "[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]"


@pytest.fixture
def config(demo, tmp_path) -> Path:
    """Two cameras that see the demo's two people, one of them behind a mask; one that fails."""
    file = tmp_path / "cameras.toml"
    parts = {"open": "", "masked": f"masks = [{LEFT_HALF}]"}
    file.write_text(
        "\n".join(
            f'[camera.{name}]\nsource = "{demo.clip}"\nto = ["{demo.recipient}"]\n'
            f'vault = "{name}"\n{more}'
            for name, more in parts.items()
        )
    )
    return file


@pytest.fixture
def serve() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start services; none outlives its test, however that ends."""
    started: list[subprocess.Popen[str]] = []

    def start(file: Path, *more: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "sealshot",
            "serve",
            file,
            "--state",
            file.parent / "state",
        ]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([*command, *more], **pipes))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def status(file: Path, capsys) -> tuple[int, dict]:
    code = main(["status", "--state", str(file.parent / "state"), "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else {}


def test_recordings_are_watched_to_their_end_each_into_its_vault(serve, config, capsys) -> None:
    service = serve(config)
    _, log = service.communicate(timeout=120)
    assert service.returncode == 0, log
    assert len(list_objects(config.parent / "open")) == 2
    assert len(list_objects(config.parent / "masked")) == 1
    code, state = status(config, capsys)
    assert code == 2  # no service runs
    assert state["started"] < state["ended"]
    assert [camera["phase"] for camera in state["cameras"]] == ["ended", "ended"]
    assert [camera["people_today"] for camera in state["cameras"]] == [2, 1]


@pytest.fixture
def camera(demo) -> Iterator[str]:
    """The address of a camera that sees the demo's people for ever."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, CAMERA, demo.clip, str(port)], stderr=subprocess.DEVNULL
    )
    yield f"http://127.0.0.1:{port}/live"
    server.kill()
    server.wait()


def test_sigterm_seals_who_is_in_view(serve, config, camera, demo, capsys) -> None:
    text = config.read_text().partition("[camera.masked]")[0]
    config.write_text(text.replace(str(demo.clip), camera))
    service = serve(config, "--quiet")
    until = time.monotonic() + 60
    while not any(c["frames"] > 20 for c in status(config, capsys)[1].get("cameras", ())):
        assert time.monotonic() < until
        assert service.poll() is None
        time.sleep(0.1)
    service.send_signal(signal.SIGTERM)
    out, _ = service.communicate(timeout=60)
    assert (service.returncode, out) == (0, "")
    [state] = status(config, capsys)[1]["cameras"]
    assert state["phase"] == "stopped"
    assert state["people"] == len(list_objects(config.parent / "open")) >= 1


def test_what_is_logged_says_of_which_camera_it_is(serve, config, capsys) -> None:
    """Two cameras may have one address, of a recorder, and neither may be there."""
    config.write_text(config.read_text().replace("source =", 'source = "http://127.0.0.1:1/" #'))
    service = serve(config)
    until = time.monotonic() + 60
    while [c["phase"] for c in status(config, capsys)[1].get("cameras", ())] != ["running"] * 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    service.send_signal(signal.SIGTERM)
    _, log = service.communicate(timeout=60)
    for name in ("open", "masked"):
        assert f"warning: camera {name}: http://127.0.0.1:1 gives no video yet" in log
        assert f"\ncamera {name}: watching " in f"\n{log}"
    assert not [line for line in log.splitlines() if "127.0.0.1" in line and "camera " not in line]


def test_check_says_what_is_wrong_by_its_line(config, capsys) -> None:
    assert main(["serve", str(config), "--check"]) == 0
    text = config.read_text().replace("source = ", "source = 'no.mp4' #", 1)
    config.write_text(text.replace("age1", "age2", 1) + '\nquota = "20"')
    assert main(["serve", str(config), "--check"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert [line.partition("line ")[2].partition(":")[0] for line in errors] == ["2", "3", "11"]
    assert main(["serve", str(config).replace("cameras", "none")]) == 2


@pytest.mark.parametrize("wrong", ["the key", "its folder", "the vault"])
def test_check_says_what_the_service_may_not_write(
    wrong: str, fresh_parties, demo, tmp_path, monkeypatch, capsys
) -> None:
    """As who is not root finds it."""
    folder = fresh_parties.camera_policy.parent
    place = {"the key": folder / "camera.key", "its folder": folder, "the vault": tmp_path / "v"}
    file = tmp_path / "cameras.toml"
    file.write_text(
        f'[camera.a]\nsource = "{demo.clip}"\npolicy = "{folder / "policy.toml"}"\n'
        f'vault = "{tmp_path / "v" / "new"}"\n'
    )
    (tmp_path / "v").mkdir()
    assert main(["serve", str(file), "--check"]) == 0

    def may(path: object, mode: int, **_: object) -> bool:
        return Path(str(path)).exists() and (mode == os.F_OK or path != place[wrong])

    monkeypatch.setattr(os, "access", may)
    capsys.readouterr()
    assert main(["serve", str(file), "--check"]) == 2
    [error] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert f"line {4 if wrong == 'the vault' else 3}: " in error
    assert "write" in error


def test_check_opens_the_device_that_is_to_decode(config, capsys) -> None:
    text = config.read_text().partition("[camera.masked]")[0]
    config.write_text(f'{text}sandbox = false\nhwaccel = "abacus"\n')
    assert main(["serve", str(config), "--check"]) == 2
    [error] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert "hwaccel" in error
    assert "decodes nothing by 'abacus'" in error


def test_a_rate_is_kept_to_by_the_vault(parties, tmp_path) -> None:
    (tmp_path / "clip.avi").write_bytes(b"")
    text = f'[camera.a]\nsource = "clip.avi"\npolicy = "{parties.camera_policy}"\nvault = "v"\n'
    for line, rate in (("", None), ("rate = 7", 7)):
        camera = decode(text + line).camera["a"]
        assert Cameras(tmp_path)(camera).sealing.rate == rate


def test_a_camera_that_ffmpeg_reads_in_this_process_is_told_of(parties, tmp_path, caplog) -> None:
    text = f'[camera.a]\nsource = "rtsp://a"\npolicy = "{parties.camera_policy}"\nvault = "v"\n'
    for line, told in (("", 0), ("sandbox = false\n", 1)):
        Cameras(tmp_path)(decode(text + line).camera["a"])
        assert caplog.text.count("FFmpeg reads in this process") == told


def test_a_service_that_is_not_there_is_told(tmp_path, capsys) -> None:
    assert main(["status", "--state", str(tmp_path / "state")]) == 2
    assert "no service writes" in capsys.readouterr().err


def test_a_service_that_has_ended_is_told(tmp_path, capsys) -> None:
    file, ended = tmp_path / "state", NOW + timedelta(hours=1)
    write_state(file, msgspec.structs.replace(a_state(a_camera()), ended=ended))
    assert main(["status", "--state", str(file)]) == 2
    shown = capsys.readouterr()
    assert "north" in shown.out
    assert "since 2026-11-20T12:00:00Z until 2026-11-21T13:00:00Z" in shown.out
    assert "wrong" not in shown.out
    assert shown.err.startswith("error: no service runs: this one ended at 2026-11-21T13:00:00Z\n")
    write_state(file, a_state(a_camera()))  # as one that was killed left it
    assert main(["status", "--state", str(file)]) == 1
    assert "has not told its state since 2026-11-21T12:00:00Z, for " in capsys.readouterr().out


def test_a_public_stream_is_written_beside_the_shots(config, serve, tmp_path, capsys) -> None:
    text = config.read_text().partition("[camera.masked]")[0]
    config.write_text(f'{text}public = {{ folder = "p", style = "solid", originals = false }}\n')
    public = tmp_path / "p"
    public.mkdir()
    (public / "2026-11-21T10-00-00Z.mkv.part").write_bytes(b"killed before its first picture")
    service = serve(config)
    _, log = service.communicate(timeout=120)
    assert service.returncode == 0, log
    assert len(list_objects(tmp_path / "open")) == 2
    [file] = public.iterdir()
    assert main(["public", "read", str(file), "--json"]) == 0
    read = capsys.readouterr().out
    [state] = status(config, capsys)[1]["cameras"]
    assert (state["public_pictures"], state["public_problem"]) == (175, "")
    assert "175" in read
