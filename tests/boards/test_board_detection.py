"""Which board is this? Replayed trees of files, and garbled ones.

The trees follow the documented layout: compatible lists as in the device trees of Linux and in
users' listings, `nv_tegra_release` and `nvpmodel` files as NVIDIA ships them.
"""

import os
import platform
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealshot.boards import Mode, boards, detect

RELEASE = (
    "# R{}, REVISION: {}, GCID: 38968081, BOARD: generic, EABI: aarch64, "
    "DATE: Wed Jan  8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\n"
)
ORIN_NANO = ("nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234")
SUPER = ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234")
SUPER_MODES = "".join(
    f"# comment\n< POWER_MODEL ID={i} NAME={name} >\nCPU_ONLINE CORE_0 1\n"
    for i, name in enumerate(("15W", "25W", "MAXN_SUPER", "7W"))
)
OLD_MODES = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=7W >\n"
X86 = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu lm avx2\n"
ARM = "processor\t: 0\nBogoMIPS\t: 62.50\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n"


def tree(
    root: Path,
    model: str = "",
    compatible: tuple[str, ...] = (),
    l4t: str = "",
    modes: str = "",
    status: str = "",
    cpu: str = ARM,
    gpus: tuple[str, ...] = (),
) -> Path:
    """Write the files of a board below ``root``."""
    files = {
        "proc/device-tree/model": model + "\0" if model else "",
        "proc/device-tree/compatible": "".join(c + "\0" for c in compatible),
        "etc/nv_tegra_release": l4t,
        "etc/nvpmodel.conf": modes,
        "var/lib/nvpmodel/status": status,
        "proc/cpuinfo": cpu,
    }
    for i, gpu in enumerate(gpus):
        files[f"proc/driver/nvidia/gpus/0000:0{i}:00.0/information"] = (
            f"Model: \t\t {gpu}\nIRQ:   \t\t 11\nGPU UUID: \t GPU-0\n"
        )
    for name, text in files.items():
        if text:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return root


BOARDS = {
    "orin-nano-8gb": dict(
        model="NVIDIA Jetson Orin Nano Developer Kit",
        compatible=ORIN_NANO,
        l4t=RELEASE.format("36 (release)", "4.3"),
        modes=OLD_MODES,
        status="pmode:0001 fmode:quiet",
    ),
    "orin-nano-8gb-super": dict(
        model="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        compatible=SUPER,
        l4t=RELEASE.format("36 (release)", "4.7"),
        modes=SUPER_MODES,
        status="pmode:0002",
    ),
    "orin-nano-4gb": dict(
        compatible=("nvidia,p3768-0000+p3767-0004", "nvidia,p3767-0004", "nvidia,tegra234")
    ),
    "orin-nx-8gb": dict(
        compatible=("nvidia,p3768-0000+p3767-0001", "nvidia,p3767-0001", "nvidia,tegra234")
    ),
    "orin-nx-16gb": dict(
        compatible=("nvidia,p3509-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234")
    ),
    "agx-orin-32gb": dict(
        compatible=("nvidia,p3737-0000+p3701-0004", "nvidia,p3701-0004", "nvidia,tegra234")
    ),
    "agx-orin-64gb": dict(
        model="NVIDIA Jetson AGX Orin Developer Kit",
        compatible=("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"),
    ),
    "thor": dict(
        model="NVIDIA Jetson AGX Thor Developer Kit",
        compatible=("nvidia,p4071-0000+p3834-0008", "nvidia,p3834-0008", "nvidia,tegra264"),
        l4t=RELEASE.format("38 (release)", "2.0"),
        modes="< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=120W >\n",
        status="pmode:0001",
    ),
    "agx-xavier": dict(model="Jetson-AGX", compatible=("nvidia,p2972-0000", "nvidia,tegra194")),
    "xavier-nx": dict(
        model="NVIDIA Jetson Xavier NX Developer Kit",
        compatible=("nvidia,p3509-0000+p3668-0000", "nvidia,tegra194"),
    ),
    "tx2": dict(model="quill", compatible=("nvidia,quill", "nvidia,tegra186")),
    "nano": dict(
        model="NVIDIA Jetson Nano Developer Kit",
        compatible=("nvidia,p3450-0000", "nvidia,jetson-nano", "nvidia,tegra210"),
        l4t=RELEASE.format("32 (release)", "7.1"),
    ),
    "kv260": dict(
        model="ZynqMP KV260 revB", compatible=("xlnx,zynqmp-sk-kv260-revB", "xlnx,zynqmp")
    ),
    "rtx-4090": dict(cpu=X86, gpus=("NVIDIA GeForce RTX 4090",)),
    "h100": dict(cpu=X86, gpus=("NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3")),
    "h200": dict(cpu=X86, gpus=("NVIDIA H200",)),
    "cpu-x86-64": dict(cpu=X86),
    "cpu-aarch64": dict(cpu=ARM),
}


@pytest.mark.parametrize("name", BOARDS)
def test_a_replayed_board_is_recognised(tmp_path, name):
    found = detect(tree(tmp_path, **BOARDS[name]))
    assert found.board == name
    assert found.why


def test_no_profile_that_can_be_recognised_lacks_a_replay():
    assert set(boards()) - set(BOARDS) == {"ulx3s", "ulx3s-45f"}


def test_release_jetpack_and_modes(tmp_path):
    found = detect(tree(tmp_path, **BOARDS["orin-nano-8gb-super"]))
    assert (found.l4t, found.jetpack) == ("36.4.7", "6.2.1")
    assert found.power_mode == Mode(2, "MAXN_SUPER")
    assert [mode.name for mode in found.power_modes] == ["15W", "25W", "MAXN_SUPER", "7W"]
    assert found.compatible == SUPER
    assert found.architecture == "aarch64"


def test_super_is_told_by_its_power_modes_alone(tmp_path):
    found = detect(tree(tmp_path, compatible=ORIN_NANO, modes=SUPER_MODES))
    assert found.board == "orin-nano-8gb-super"


UNKNOWN = {
    "release of the future": (
        dict(compatible=ORIN_NANO, l4t=RELEASE.format("99 (release)", "1.2.3")),
        ("orin-nano-8gb", "99.1.2.3", ""),
    ),
    "release in another form": (
        dict(compatible=ORIN_NANO, l4t="Jetson Linux forty-two\n"),
        ("orin-nano-8gb", "", ""),
    ),
    "module of the future": (
        dict(compatible=("nvidia,p9999-0000", "nvidia,tegra234"), l4t=RELEASE.format("40", "0")),
        (None, "40.0", ""),
    ),
    "chip of the future": (dict(compatible=("nvidia,tegra999",)), ("cpu-aarch64", "", "")),
    "card of the future": (dict(cpu=X86, gpus=("NVIDIA RTX 9090",)), ("cpu-x86-64", "", "")),
    "industrial module beside a known one": (
        dict(compatible=("nvidia,p3701-0008", "nvidia,tegra234")),
        (None, "", ""),
    ),
    "smaller card of the same name": (
        dict(cpu=X86, gpus=("NVIDIA GeForce RTX 4090 Laptop GPU",)),
        ("cpu-x86-64", "", ""),
    ),
    "slice of a card": (
        dict(cpu=X86, gpus=("NVIDIA H100 80GB HBM3 MIG 1g.10gb",)),
        ("cpu-x86-64", "", ""),
    ),
    "smaller module of the same name": (
        dict(model="NVIDIA Jetson TX2 NX Developer Kit", compatible=("nvidia,tegra186",)),
        (None, "", ""),
    ),
    "module of the same name with half the memory": (
        dict(
            model="NVIDIA Jetson Nano 2GB Developer Kit",
            compatible=("nvidia,p3542-0000+p3448-0003", "nvidia,jetson-nano", "nvidia,tegra210"),
        ),
        (None, "", ""),
    ),
    "nothing at all": (dict(cpu=""), (None, "", "")),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_nobody_knew_leaves_a_gap(tmp_path, what):
    files, expected = UNKNOWN[what]
    found = detect(tree(tmp_path, **files))
    assert (found.board, found.l4t, found.jetpack) == expected
    assert found.why


def test_an_unknown_card_is_named(tmp_path):
    assert "RTX 9090" in detect(tree(tmp_path, cpu=X86, gpus=("NVIDIA RTX 9090",))).why


@pytest.mark.parametrize(
    ("status", "mode"),
    [
        ("pmode:0009", Mode(9, "")),
        ("pmode:0000 fmode:cool", Mode(0, "15W")),
        ("mode 3", None),
        ("", None),
    ],
)
def test_the_power_mode_that_is_set(tmp_path, status, mode):
    assert detect(tree(tmp_path, modes=SUPER_MODES, status=status)).power_mode == mode


def test_files_that_are_no_files_are_passed_over(tmp_path):
    tree(tmp_path, **BOARDS["orin-nano-8gb"])
    for name in ("etc/nvpmodel.conf", "etc/nv_tegra_release"):
        (tmp_path / name).unlink()
    os.mkfifo(tmp_path / "etc/nvpmodel.conf")  # reading it would wait for ever
    (tmp_path / "etc/nv_tegra_release").mkdir()
    (tmp_path / "var/lib/nvpmodel/status").unlink()
    (tmp_path / "var/lib/nvpmodel/status").symlink_to("status")
    found = detect(tmp_path)
    assert found.board == "orin-nano-8gb"
    assert (found.l4t, found.power_modes, found.power_mode) == ("", (), None)


def test_a_large_file_is_read_in_part(tmp_path):
    tree(tmp_path, compatible=ORIN_NANO, modes=OLD_MODES + "#" * (8 << 20))
    assert len(detect(tmp_path).power_modes) == 2


def test_this_machine_is_recognised():
    found = detect()
    assert found.architecture == platform.machine()
    if not (found.compatible or found.gpus):
        assert found.board == {"x86_64": "cpu-x86-64", "aarch64": "cpu-aarch64"}[platform.machine()]


FILES = (
    "proc/device-tree/model",
    "proc/device-tree/compatible",
    "etc/nv_tegra_release",
    "etc/nvpmodel.conf",
    "var/lib/nvpmodel/status",
    "proc/cpuinfo",
    "proc/driver/nvidia/gpus/0000:01:00.0/information",
)
LINES = st.sampled_from(
    (
        b"# R36 (release), REVISION: 4.3,",
        b"# R" + b"9" * 3000 + b" (release), REVISION: " + b"1." * 3000,
        b"< POWER_MODEL ID=0 NAME=15W >",
        b"< POWER_MODEL ID=" + b"9" * 3000 + b" NAME= >",
        b"pmode:000" + b"1" * 3000,
        b"Model: \xff\xfe",
        b"nvidia,p3767-0005\0nvidia,tegra234\0",
        "R３６ (release), REVISION: ４.３".encode(),
        b"flags : " + b"lm " * 1000,
    )
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({}, optional={n: st.binary(max_size=300) | LINES for n in FILES}))
def test_garbled_trees_never_raise(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("garbled")
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = detect(root)
    assert found.board is None or found.board in boards()
    assert found.why
