"""`sealshot erc compare`: has a candidate model lost accuracy against its reference?

A gate for CI: exit code 1 unless the candidate is shown to be as good. The partial area of both
scores is taken on the same draws of people; the candidate passes when the upper end of the 95 %
interval of its loss is within the tolerance. Too few data to tell is therefore a failure too, and
a model against itself passes on any data.
"""

from __future__ import annotations

import shlex

import numpy as np
from scipy.stats import spearmanr

from sealshot.benchmarks.accuracy.erc.evaluate import evaluate, starts
from sealshot.benchmarks.accuracy.erc.inputs import SHARED_USAGE, add_inputs, load
from sealshot.benchmarks.accuracy.erc.report import main_area
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.runtime.cli.arguments import Arguments, output_file
from sealshot.runtime.cli.terminal import say, say_json, table
from sealshot.runtime.errors import InputError

TOLERANCE = 0.05

USAGE = f"""
usage: sealshot erc compare --reference A --candidate B DATASET --recognizer MATCHER.onnx [options]

Check that candidate B loses no accuracy against reference A, by error-versus-reject curve. Exit
code 0: the loss of pAUC(0.3) is within the tolerance, with 95 % confidence, at every start. Exit
code 1: accuracy is lost, or the data are too few to show that it is not, or --rank is missed.

{SHARED_USAGE}
  --reference SCORE   the model to measure against: a score graph FILE.onnx or a score's name
  --candidate SCORE   the model in question
  --tolerance AREA    rise of pAUC(0.3) that is no loss (default {TOLERANCE})
  --rank R            least rank correlation of both scores, for a candidate that should be the
                      same score at another precision (default: any)
  -o, --output FILE   write the result as JSON
  --json              print it as JSON

examples:
  sealshot erc compare --reference fp32.onnx --candidate int8.onnx lfw/ --recognizer matcher.onnx
  sealshot erc compare --reference fp32 --candidate int8 scores.npz --fnmr 0.01
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc compare", USAGE)
    add_inputs(arguments)
    arguments.add_argument("--reference", required=True)
    arguments.add_argument("--candidate", required=True)
    arguments.add_argument("--tolerance", type=float, default=TOLERANCE)
    arguments.add_argument("--rank", type=float, default=-1.0)
    arguments.add_argument("-o", "--output", type=output_file)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    if not 0 <= given.tolerance < float("inf"):
        raise InputError(f"a tolerance of {given.tolerance:g} is below 0", hint="give 0.05")
    if not -1 <= given.rank <= 1:
        raise InputError(f"a rank correlation is never {given.rank:g}", hint="give 0.995")

    npz = given.dataset.suffix == ".npz"
    specs = (
        (given.reference, given.candidate)
        if npz
        else (f"reference={given.reference}", f"candidate={given.candidate}")
    )
    inputs = load(given, specs, ())
    reference, candidate = (
        inputs.qualities[spec if npz else spec.partition("=")[0]] for spec in specs
    )
    both = {"reference": reference, "candidate": candidate}
    results = []
    for start in starts(inputs.comparisons, given.fnmr, given.fmr):
        a, b = evaluate(
            inputs.comparisons, both, start, replicates=given.replicates, seed=given.seed
        )
        area = main_area(b)
        results.append(
            {
                "start": start.label,
                "errors": a.curve.errors,
                "reference": main_area(a).value,
                "candidate": area.value,
                "loss": area.behind,
                "loss_low": area.behind_low,
                "loss_high": area.behind_high,
                "verdict": _verdict(area.behind_low, area.behind_high, given.tolerance),
            }
        )
    if np.ptp(reference):  # a constant candidate ranks nothing
        agree = float(spearmanr(reference, candidate).statistic) if np.ptp(candidate) else 0.0
    else:
        agree = 1.0
    same = agree >= given.rank
    passed = same and all(result["verdict"] == "kept" for result in results)
    found = {"passed": passed, "tolerance": given.tolerance, "rank": agree, "starts": results}
    if given.output:
        about = {
            "command": shlex.join(["sealshot", "erc", "compare", *argv]),
            "environment": vars(environment()),
        }
        write_result(given.output, about | found)
    if given.json:
        say_json(found)
    else:
        say("pAUC(0.3): 1 is as good as chance, lower is better")
        table(
            ["start", ">errors", ">reference", ">candidate", ">loss", ">95 %", "verdict"],
            [
                [
                    str(r["start"]),
                    str(r["errors"]),
                    f"{r['reference']:.3f}",
                    f"{r['candidate']:.3f}",
                    f"{r['loss']:+.3f}",
                    f"{r['loss_low']:+.3f} to {r['loss_high']:+.3f}",
                    str(r["verdict"]),
                ]
                for r in results
            ],
        )
        say(f"rank correlation of both scores: {agree:.4f}" + ("" if same else ", too low"))
        say("accuracy is kept" if passed else "accuracy is lost, or not shown to be kept")
    return 0 if passed else 1


def _verdict(low: float, high: float, tolerance: float) -> str:
    if high <= tolerance:  # also False where either is NaN
        return "kept"
    return "lost" if low > 0 else "not shown: more pictures, or a higher --tolerance"
