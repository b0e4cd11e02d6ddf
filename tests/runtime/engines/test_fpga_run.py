"""A whole clip scored by the RTL, as Verilator compiles it, and by its integer graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sealshot.export.golden import draw_faces
from sealshot.runtime.cli.main import main
from sealshot.runtime.weights import score_graph


@pytest.mark.data
def test_a_clip_gives_the_same_shots_by_the_rtl_and_by_its_integer_graph(
    data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="pip install 'sealshot[export]'")
    from sealshot.export.fpga.files import export_fpga

    files = export_fpga(score_graph("quality"), draw_faces(240), "drawn", tmp_path)
    clip = str(data / "clips" / "three-walk-up.gif")

    def watched(name: str, *options: str) -> tuple[str, list[dict[str, Any]]]:
        assert main(["inspect", clip, "-o", str(tmp_path / name), *options]) == 0
        found = json.loads((tmp_path / name / "tracks.json").read_text())
        return found["about"]["engine"], found["tracks"]

    by_rtl, rtl = watched("rtl", "--score", str(files.stream), "--engine", "fpga:sim")
    by_graph, graph = watched("graph", "--score", str(files.graph))
    assert "RTL in simulation" in by_rtl
    assert "ONNX Runtime" in by_graph
    assert len(rtl) == 3
    assert rtl == graph
