"""`sealshot bench all`: throughput, energy and kernels, and one page of them."""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict
from pathlib import Path

from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.report.source import read_source
from sealshot.runtime.cli.arguments import Arguments, output_folder
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import note, say
from sealshot.runtime.errors import SealshotError

PARTS = {
    "throughput": "sealshot.benchmarks.speed.throughput.command",
    "energy": "sealshot.benchmarks.energy.command",
    "kernels": "sealshot.benchmarks.speed.kernels.command",
}
INTERRUPTED = "interrupted"

USAGE = f"""
usage: sealshot bench all [options]

Measure throughput, energy and the CUDA kernels, as far as they can be measured here, and write
throughput.json, energy.json, kernels.json and report.html. Takes under ten minutes, so its windows
of energy are short: `sealshot bench energy` measures five of 10 s each. The page is written anew
after each part, so that Ctrl-C leaves what is done.
{needs("bench")}

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
    from sealshot.benchmarks.report.document import write_report  # matplotlib is an extra

    clip = ["--clip", given.clip] if given.clip else []
    energy = [*clip, "--meter", given.meter, "--seconds", "5", "--windows", "3"]
    options = {"throughput": clip, "energy": energy, "kernels": []}
    page = given.output / "report.html"
    start, files = time.monotonic(), []
    for i, part in enumerate(PARTS, start=1):
        file = given.output / f"{part}.json"
        passed = (time.monotonic() - start) / 60
        note(f"== {part}, part {i} of {len(PARTS)}, after {passed:.1f} minutes")
        why_not = _measure(part, [*options[part], "-o", str(file)])
        if why_not:
            note(f"not measured: {why_not}")
            fields = {"kind": part, "why_not": why_not, "environment": asdict(environment())}
            write_result(file, fields)
        files.append(file)
        write_report([read_source(file) for file in files], page)
        if why_not == INTERRUPTED:
            note(f"what was measured before is in {page}")
            return 130
    say(f"report: {page}, in {(time.monotonic() - start) / 60:.1f} minutes")
    return 0


def _measure(part: str, argv: list[str]) -> str:
    """Run one part; return why it gave no result, empty where it did."""
    try:
        importlib.import_module(PARTS[part]).main(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (SealshotError, ImportError) as error:
        return error.fact if isinstance(error, SealshotError) else str(error)
    return ""
