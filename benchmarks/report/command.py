"""`sealshot bench report`: one page of results, for people who decide."""

from __future__ import annotations

from pathlib import Path

from sealshot.benchmarks.report.source import read_source
from sealshot.runtime.cli.arguments import Arguments, output_file
from sealshot.runtime.cli.extras import needs
from sealshot.runtime.cli.terminal import say

USAGE = f"""
usage: sealshot bench report RESULT.json... -o report.html

Make one page of results: tables, plots, what was not measured and why. It fetches nothing from
elsewhere, and each number names the file and the field that it comes from: point at it.

{needs("bench")}

  -o, --output FILE   the page (default report.html)

example:
  sealshot bench report throughput.json energy.json -o report.html
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("bench report", USAGE)
    arguments.add_argument("results", nargs="+", type=Path)
    arguments.add_argument("-o", "--output", type=output_file, default=Path("report.html"))
    given = arguments.parse_args(argv)
    from sealshot.benchmarks.report.document import write_report  # matplotlib is an extra

    write_report([read_source(path) for path in given.results], given.output)
    say(f"report: {given.output}")
    return 0
