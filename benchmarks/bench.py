"""`sealshot bench`: speed, energy, detection and tracking; reports and comparisons."""

from __future__ import annotations

from sealshot.runtime.cli.arguments import in_modules, run_action

ACTIONS = {
    "throughput": "sealshot.benchmarks.speed.throughput.command",
    "peers": "sealshot.benchmarks.speed.peers.command",
    "cameras": "sealshot.benchmarks.speed.throughput.cameras",
    "sandbox": "sealshot.benchmarks.speed.sandbox",
    "energy": "sealshot.benchmarks.energy.command",
    "kernels": "sealshot.benchmarks.speed.kernels.command",
    "chain": "sealshot.benchmarks.speed.chain",
    "sealing": "sealshot.benchmarks.speed.sealing.command",
    "detection": "sealshot.benchmarks.accuracy.detection",
    "tracking": "sealshot.benchmarks.accuracy.tracking",
    "deid": "sealshot.benchmarks.accuracy.deid.command",
    "uncovered": "sealshot.benchmarks.accuracy.uncovered",
    "fpga": "sealshot.benchmarks.board.fpga.command",
    "report": "sealshot.benchmarks.report.command",
    "compare": "sealshot.benchmarks.report.compare",
    "all": "sealshot.benchmarks.report.everything",
    "tables": "sealshot.benchmarks.report.tables",
}

USAGE = """
usage: sealshot bench ACTION ...

Measure how fast this machine is and what it draws, and what detector and tracker get right.
Quality scores have a command of their own: `sealshot erc`.

  throughput   faces and frames per second, latency, memory, beside peers in the same run
  peers        whole pipelines of others on the same clips: speed, people found, pictures kept
  cameras      what several cameras in one process cost, by their number
  sandbox      what it costs that FFmpeg reads in a process of its own
  energy       joules a face and a selected person, watts idle and loaded, where there is a meter
  kernels      bandwidth of the CUDA kernels
  chain        from a frame in device memory to scores, on TensorRT, as one CUDA graph
  sealing      what sealing costs beside the stock `age` program
  detection    how well and how fast faces are found, beside facenet-pytorch
  tracking     trackers side by side on the same detections, judged by hand labels
  deid         what a face matcher still makes of covered faces
  uncovered    which faces of a video its public version still shows
  fpga         the scorer's hardware in simulation: against its model, over its lines
  report       make one page of results
  compare      set two results side by side; exit 1 on a regression
  all          throughput, energy and kernels, and the page of them
  tables       write the tables of benchmarks/RESULTS.md from the result files (in a checkout)

`sealshot bench ACTION --help` explains an action.

examples:
  sealshot bench all -o bench/
  sealshot bench throughput --engines all --batch 1,4,16,64 -o throughput.json
  sealshot bench compare before.json after.json
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    return run_action("bench", USAGE, in_modules(ACTIONS), argv)
