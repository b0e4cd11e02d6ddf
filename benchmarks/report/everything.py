"""`sealshot bench all`: throughput, energy and kernels, and one page of them."""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict
from pathlib import Path

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.report.command import write_report
from sealshot.benchmarks.report.source import read_source
from sealshot.runtime.cli.arguments import Arguments, output_folder
from sealshot.runtime.cli.terminal import note, say
from sealshot.runtime.errors import SealshotError

PARTS = {
    "throughput": "sealshot.benchmarks.speed.throughput.command",
    "energy": "sealshot.benchmarks.energy.command",
    "kernels": "sealshot.benchmarks.speed.kernels.command",
}

USAGE = """
usage: sealshot bench all [options]

Measure throughput, energy and the CUDA kernels, as far as they can be measured here, and write
throughput.json, energy.json, kernels.json and report.html. Takes under ten minutes, so its windows
of energy are short: `sealshot bench energy` measures five of 10 s each.

  --clip FILE         where faces and frames come from (default: the clip of `sealshot demo`)
  --meter METER       of energy; see `sealshot bench energy --help` (default auto)
  -o, --output FOLDER (default bench/)

example:
  sealshot bench all -o bench/
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench all", USAGE)
    arguments.add_argument("--clip")
    arguments.add_argument("--meter", default="auto")
    arguments.add_argument("-o", "--output", type=output_folder, default=Path("bench"))
    given = arguments.parse_args(argv)
    clip = ["--clip", given.clip] if given.clip else []
    energy = [*clip, "--meter", given.meter, "--seconds", "5", "--windows", "3"]
    options = {"throughput": clip, "energy": energy, "kernels": []}
    start, files = time.monotonic(), []
    for part, module in PARTS.items():
        file = given.output / f"{part}.json"
        note(f"== {part}")
        try:
            importlib.import_module(module).main([*options[part], "-o", str(file)])
        except (SealshotError, ImportError) as error:
            why_not = error.fact if isinstance(error, SealshotError) else str(error)
            note(f"not measured: {why_not}")
            fields = {"kind": part, "why_not": why_not, "environment": asdict(environment())}
            write_result(file, fields)
        files.append(file)
    page = given.output / "report.html"
    write_report([read_source(file) for file in files], page)
    say(f"report: {page}, in {(time.monotonic() - start) / 60:.1f} minutes")
    return 0
