"""What `sealshot export --board` keeps, and that no two of them write into one folder."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from sealshot.boards import Fpga
from sealshot.export.fpga import bitstream
from sealshot.export.fpga.bitstream import build_bitstream
from sealshot.kernels.rtl.tools import BuildError
from sealshot.runtime.engines.bitstream import BITSTREAM, REPORT
from sealshot.runtime.errors import InputError
from sealshot.runtime.sources.board import find_board


class Builds:
    """Stands in for the tools: takes a while, and notes whether two were at work at once."""

    def __init__(self) -> None:
        self.seeds: list[list[int]] = []
        self.at_work = self.most = 0
        self.error = ""

    def build(self, fpga: Fpga, rtlil: str, kept: Path, seeds: Sequence[int]) -> None:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        time.sleep(0.2)
        self.at_work -= 1
        if self.error:
            raise BuildError(self.error)
        self.seeds.append(list(seeds))
        (kept / BITSTREAM).write_bytes(b"bits")
        (kept / REPORT).write_text(json.dumps({"mhz_by_seed": {str(s): 150.0 for s in seeds}}))


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builds:
    stand_in = Builds()
    monkeypatch.setattr(bitstream, "_build", stand_in.build)
    monkeypatch.setattr(bitstream, "rtlil_top", lambda _: "module \\top\nend\n")
    monkeypatch.setattr(bitstream, "cache_folder", lambda name: tmp_path / name)
    return stand_in


def test_two_exports_at_once_build_one_after_the_other_and_the_second_says_so(
    tmp_path: Path, builds: Builds, capsys: pytest.CaptureFixture[str]
) -> None:
    def export(name: str, seeds: list[int]) -> None:
        (tmp_path / name).mkdir()
        build_bitstream(find_board("ulx3s"), tmp_path / name, seeds)

    both = [threading.Thread(target=export, args=(str(n), [1, 2][:n])) for n in (1, 2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert builds.most == 1
    assert "waiting for it" in capsys.readouterr().err
    for name in "12":
        assert (tmp_path / name / BITSTREAM).read_bytes() == b"bits"


def test_what_was_built_is_not_built_again_and_one_more_seed_is(
    tmp_path: Path, builds: Builds
) -> None:
    for seeds in ([1], [1], [1, 2]):
        built = build_bitstream(find_board("ulx3s"), tmp_path, seeds)
    assert builds.seeds == [[1], [1, 2]]
    assert set(built.figures["mhz_by_seed"]) == {"1", "2"}


def test_a_build_that_fails_leaves_the_folder_free_and_writes_nothing(
    tmp_path: Path, builds: Builds
) -> None:
    builds.error = "no seed reaches the clock"
    with pytest.raises(InputError, match="no bitstream: no seed reaches the clock"):
        build_bitstream(find_board("ulx3s"), tmp_path, [1])
    assert not list(tmp_path.glob("ulx3s.*"))
    builds.error = ""
    assert build_bitstream(find_board("ulx3s"), tmp_path, [1]).bitstream.exists()
