"""The profiles that ship, and what the strict reader refuses."""

import contextlib
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealshot.boards import ProfileError, boards
from sealshot.boards.profile import read_board
from sealshot.export.fpga.bitstream import refusal
from sealshot.kernels.rtl.ulx3s import CLOCK_MHZ

NAMES = [
    "nano",
    "tx2",
    "xavier-nx",
    "agx-xavier",
    "orin-nano-4gb",
    "orin-nano-8gb",
    "orin-nano-8gb-super",
    "orin-nx-8gb",
    "orin-nx-16gb",
    "agx-orin-32gb",
    "agx-orin-64gb",
    "thor",
    "h100",
    "h200",
    "rtx-4090",
    "cpu-x86-64",
    "cpu-aarch64",
    "kv260",
    "ulx3s",
    "ulx3s-45f",
]

GOOD = """
title = "a board"
kind = "jetson"
architecture = "aarch64"
[sources]
sheet = "a data sheet"
[compute]
int8_tops = { value = 20, source = "sheet", verified = false }
[[power_modes]]
name = "15W"
id = 0
source = "sheet"
verified = true
[camera]
csi = { value = "src sensor-id={sensor} ! appsink", source = "sheet", verified = false }
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "some.toml"
    path.write_text(text)
    return path


def test_all_boards_are_there():
    assert sorted(boards()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_profile_is_consistent(name):
    board = boards()[name]
    compute = board.compute
    for field in dataclasses.fields(compute):
        fact = getattr(compute, field.name)
        assert fact is None or fact.source
    if board.kind in ("jetson", "gpu"):
        assert compute.sm is not None
        assert compute.memory_gb_s is not None
        assert compute.fp32_tflops is not None
    if compute.cuda_cores and compute.gpu_mhz and compute.fp32_tflops:
        computed = 2e-6 * compute.cuda_cores.value * compute.gpu_mhz.value
        assert compute.fp32_tflops.value == pytest.approx(computed, rel=0.02)
    if compute.cuda_cores and compute.gpu_sms:
        per_sm = 64 if compute.sm.value == "7.2" else 128
        assert compute.gpu_sms.value == compute.cuda_cores.value / per_sm
    for mode in board.power_modes:
        if mode.gpu_sms:
            assert mode.gpu_sms <= compute.gpu_sms.value
            assert mode.gpu_mhz <= compute.gpu_mhz.value
        if mode.memory_gb_s:
            assert mode.memory_gb_s <= compute.memory_gb_s.value


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(("orin", "agx-orin"))])
def test_orin_int8_rate_is_that_of_its_tensor_cores(name):
    compute = boards()[name].compute  # 2048 multiply-accumulates a clock in each SM, dense
    computed = 2e-6 * 2048 * compute.gpu_sms.value * compute.gpu_mhz.value
    assert compute.int8_tops.value == pytest.approx(computed, rel=0.03)


def test_the_scorer_is_built_for_the_one_fpga_that_open_tools_fit_it_into():
    reasons = {name: refusal(board) for name, board in boards().items() if board.kind == "fpga"}
    assert reasons["ulx3s"] == ""
    assert "has 108 block RAMs, and the scorer takes 198" in reasons["ulx3s-45f"]
    assert "Vivado" in reasons["kv260"]
    assert refusal(boards()["nano"]) == "NVIDIA Jetson Nano has no FPGA"


def test_the_rate_of_the_ulx3s_is_that_of_its_multipliers():
    board = boards()["ulx3s"]
    computed = 2e-6 * board.fpga.multipliers.value * CLOCK_MHZ  # one product each with open tools
    assert board.compute.int8_tops.value == pytest.approx(computed)


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ("", r"\[fpga\] has no part, luts"),
        ('part = { value = 1, source = "sheet", verified = true }', "part is not a text"),
        ('links = ["usb"]', "links: not all of them are uart, spi"),
    ],
)
def test_a_bad_fpga_is_refused(tmp_path, change, fact):
    rows = {
        name: f'{name} = {{ value = {value}, source = "sheet", verified = true }}'
        for name, value in (
            ("part", '"X"'), ("luts", 1), ("block_rams", 1), ("block_ram_kbit", 18),
            ("multipliers", 1),
        )
    }  # fmt: skip
    if change:
        rows[change.split(" = ")[0]] = change
    text = GOOD + "[fpga]\n" + ("\n".join(rows.values()) if change else "") + "\n"
    with pytest.raises(ProfileError, match=fact):
        read_board(write(tmp_path, text))


def test_what_was_never_on_a_board_says_so():
    assert all(board.on_board == "" for board in boards().values())


def test_pipelines_end_in_bgr_pictures():
    pipelines = [
        fact.value
        for board in boards().values()
        for fact in (board.camera.csi, board.camera.rtsp, board.camera.v4l2)
        if fact
    ]
    assert pipelines
    for pipeline in pipelines:
        *_, caps, sink = pipeline.split(" ! ")
        assert caps == "video/x-raw,format=BGR"
        assert sink.startswith("appsink ")


def test_a_good_profile_is_read(tmp_path):
    board = read_board(write(tmp_path, GOOD))
    assert board.name == "some"
    assert board.compute.int8_tops.value == 20
    assert board.compute.int8_tops.source == "a data sheet"
    assert board.power_modes[0].watts is None
    assert board.power_modes[0].verified


BAD = {
    "no TOML": ("title", "= title"),
    "unknown key of the file": ('kind = "jetson"', 'kind = "jetson"\ncolour = "red"'),
    "unknown kind": ("jetson", "toaster"),
    "unknown architecture": ("aarch64", "z80"),
    "unknown fact": ("int8_tops", "int9_tops"),
    "unknown key of a fact": ("verified = false }", "verified = false, when = 1 }"),
    "fact without a source": (', source = "sheet", verified = false', ", verified = false"),
    "source that is not listed": ('value = 20, source = "sheet"', 'value = 20, source = "hearsay"'),
    "fact that is a bare number": (
        '{ value = 20, source = "sheet", verified = false }',
        "20",
    ),
    "fact without a value": ("value = 20, ", ""),
    "rate of 0": ("value = 20", "value = 0"),
    "rate that is not finite": ("value = 20", "value = inf"),
    "rate that is no number": ("value = 20", "value = nan"),
    "rate that is true": ("value = 20", "value = true"),
    "rate in words": ("value = 20", 'value = "20"'),
    "verified by a word": ("verified = true", 'verified = "yes"'),
    "unknown key of a mode": ("id = 0", "id = 0\ncolour = 1"),
    "id below 0": ("id = 0", "id = -1"),
    "id in words": ("id = 0", 'id = "0"'),
    "mode without a name": ('name = "15W"', 'name = ""'),
    "sources that are no texts": ('sheet = "a data sheet"', "sheet = 3"),
    "pipeline without its place": ("sensor-id={sensor}", "sensor-id=0"),
    "pipeline with two places": ("{sensor}", "{sensor}{sensor}"),
    "modes that are no list": ("[[power_modes]]", "[power_modes]"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_profile_is_refused(tmp_path, what):
    old, new = BAD[what]
    assert old in GOOD
    with pytest.raises(ProfileError):
        read_board(write(tmp_path, GOOD.replace(old, new)))


def test_two_modes_of_one_id_are_refused(tmp_path):
    mode = '[[power_modes]]\nname = "x"\nid = 0\nsource = "sheet"\nverified = true\n'
    with pytest.raises(ProfileError, match="two power modes"):
        read_board(write(tmp_path, GOOD + mode))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ProfileError):
        read_board(tmp_path / "none.toml")


@given(st.data())
def test_a_garbled_profile_gives_a_board_or_an_error_of_its_own(tmp_path_factory, data):
    text = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "garbled.toml"
    path.write_bytes(bytes(text))
    with contextlib.suppress(ProfileError):
        read_board(path)
