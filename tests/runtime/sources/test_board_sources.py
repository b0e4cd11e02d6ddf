"""What `run --board` opens: the pipeline of the board, with the source set in safely."""

import pytest

from sealshot.boards import boards
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources import RECORDED_PIPELINE, redact
from sealshot.runtime.sources.board import board_source, find_board

ORIN = boards()["orin-nano-8gb"]
CPU = boards()["cpu-x86-64"]


@pytest.mark.parametrize(
    ("spec", "begins"),
    [
        ("csi:0", "nvarguscamerasrc sensor-id=0 ! "),
        ("csi:11", "nvarguscamerasrc sensor-id=11 ! "),
        ("rtsp://camera/stream", 'rtspsrc location="rtsp://camera/stream" '),
        ("RTSP://camera/a!b", 'rtspsrc location="RTSP://camera/a!b" '),
        ("rtsps://camera/x", 'rtspsrc location="rtsps://camera/x" '),
        ("0", 'v4l2src device="/dev/video0" ! '),
        ("007", 'v4l2src device="/dev/video7" ! '),
        ("/dev/video12", 'v4l2src device="/dev/video12" ! '),
    ],
)
def test_a_camera_goes_through_the_pipeline_of_the_board(spec, begins):
    opened = board_source(ORIN, spec)
    assert opened.startswith(begins)
    assert " ! " in opened  # so that it is opened as a pipeline
    assert not RECORDED_PIPELINE.search(opened)  # and as a camera
    assert "{" not in opened


@pytest.mark.parametrize(
    "spec",
    ["crowd.mp4", "faces/", "http://camera/a.mjpg", "videotestsrc ! appsink", "", "/dev/null"],
)
def test_all_else_is_opened_as_it_is(spec):
    assert board_source(ORIN, spec) == spec


@pytest.mark.parametrize("spec", ["rtsp://camera/stream", "0", "/dev/video0"])
def test_a_board_without_pipelines_changes_nothing(spec):
    assert board_source(CPU, spec) == spec


@pytest.mark.parametrize(
    "spec",
    [
        'rtsp://camera/" ! filesink location=/tmp/plain ! "',
        "rtsp://camera/x ! filesink",
        "rtsp://camera/\\",
        "rtsp://camera/\n",
        "rtsp://camera/\x00",
        "csi:",
        "csi:0 ! filesink location=x",
        "csi:-1",
        "csi:x",
        "csi:１",
    ],
)
def test_nothing_breaks_out_of_the_pipeline(spec):
    with pytest.raises(InputError):
        board_source(ORIN, spec)


def test_a_csi_camera_needs_a_board_that_has_one():
    with pytest.raises(InputError, match="no pipeline for a CSI camera"):
        board_source(CPU, "csi:0")


def test_the_password_in_a_pipeline_is_not_shown():
    opened = board_source(ORIN, "rtsp://admin:hunter2@camera/stream")
    assert "hunter2" in opened
    assert "hunter2" not in redact(opened)


def test_the_password_of_a_refused_address_is_not_shown():
    with pytest.raises(InputError) as caught:
        board_source(ORIN, 'rtsp://admin:hunter2@camera/"x')
    assert "hunter2" not in caught.value.fact


def test_boards_are_found_by_name_or_by_themselves():
    assert find_board("thor").name == "thor"
    assert find_board("auto") in boards().values()
    with pytest.raises(InputError, match="no board 'toaster'"):
        find_board("toaster")


@pytest.mark.parametrize(
    ("source", "board", "says"),
    [
        ("csi:0", "cpu-x86-64", "no pipeline for a CSI camera"),
        ("csi:0", "toaster", "no board 'toaster'"),
        ("csi:zero", "orin-nano-8gb", "'csi:zero' is no CSI camera"),
    ],
)
def test_run_with_a_board(capsys, tmp_path, source, board, says):
    recipient = str(X25519Identity.generate().recipient)
    argv = ["run", source, "--board", board, "--to", recipient, "--vault", str(tmp_path / "v")]
    assert main(argv) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(("source", "named"), [("csi:0", True), ("absent.mp4", False)])
def test_a_csi_camera_without_a_board_is_told_of_the_option(capsys, tmp_path, source, named):
    recipient = str(X25519Identity.generate().recipient)
    assert main(["run", source, "--to", recipient, "--vault", str(tmp_path / "v")]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert f"no file or folder {source}" in error
    assert ("--board auto" in hint) == named
    assert not (tmp_path / "v").exists()
