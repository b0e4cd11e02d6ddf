"""`sealshot erc leak`: can people be told apart by a score, or by what it is computed from?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.erc.leakage import Leak, measure
from sealshot.benchmarks.accuracy.measures.inner import MOST_NUMBERS, numbers_inside
from sealshot.benchmarks.conditions.environment import environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.benchmarks.data.cache import open_cache
from sealshot.benchmarks.data.dataset import read_folder
from sealshot.benchmarks.data.faces import embed_faces, find_faces
from sealshot.benchmarks.data.matcher import Matcher
from sealshot.runtime.cli.arguments import Arguments, output_file, positive_int
from sealshot.runtime.cli.terminal import note, progress, say, say_json, table

USAGE = f"""
usage: sealshot erc leak DATASET [--of GRAPH[:TENSOR]]... [--recognizer MATCHER.onnx] [options]

Measure how well people can be told apart by a score, and by the numbers inside its graph: the AUC
of verification, 0.5 is chance. `plain` compares the numbers as they are; `trained` has learnt on
other people what to look at. DATASET is a folder that holds a folder a person; nobody in it may
have been in the training set.

  --of GRAPH          the score of a graph: a shipped score or FILE.onnx; may be repeated
  --of GRAPH:TENSOR   the numbers of a tensor inside it (needs onnx); GRAPH:* takes each tensor of
                      at most {MOST_NUMBERS} numbers a face. Default: quality:* and rp:*
  --recognizer FILE   put a face matcher beside it
  --detector NAME     mtcnn (default), or yunet:FILE.onnx
  --threads N         threads of a network (default: one a core)
  --cache DIR         where found faces are kept (default ~/.cache/sealshot)
  -o, --output FILE   write the result as JSON
  --json              print the result as JSON instead of the table

example:
  sealshot erc leak lfw/ --of quality --of "rp:*" --recognizer matcher.onnx -o leak.json
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("erc leak", USAGE)
    add = arguments.add_argument
    add("dataset", type=Path)
    add("--of", action="append", default=[])
    add("--recognizer", type=Path)
    add("--detector", default="mtcnn")
    add("--threads", type=positive_int, default=0)
    add("--cache", type=Path)
    add("-o", "--output", type=output_file)
    add("--json", action="store_true")
    given = arguments.parse_args(argv)

    matcher = Matcher(given.recognizer, threads=given.threads) if given.recognizer else None
    cache = open_cache(given.cache)
    faces = find_faces(read_folder(given.dataset), given.detector, cache, threads=given.threads)
    people = np.unique(faces.person(), return_inverse=True)[1]
    inside: dict[str, NDArray[Any]] = {
        "pixels, every fourth row and column": faces.crops[:, ::4, ::4]
    }
    for spec in given.of or ("quality:*", "rp:*"):
        inside.update(numbers_inside(spec, faces.crops, threads=given.threads))
    if matcher:
        inside[f"matcher {matcher.name}"] = embed_faces(faces, matcher, cache)
    leaks = []
    with progress("compare", len(inside)) as bar:
        for done, (what, numbers) in enumerate(inside.items()):
            bar.update(done, what)
            leaks.append(measure(what, numbers, people))
    leaks.sort(key=lambda leak: leak.worst)

    result = {
        "dataset": given.dataset.name,
        "people": int(people.max()) + 1,
        "faces": len(faces),
        "command": shlex.join(["sealshot", "erc", "leak", *argv]),
        "environment": vars(environment()),
        "leaks": [vars(leak) for leak in leaks],
    }
    if given.json:
        say_json(result)
    else:
        say(f"{len(faces)} faces of {result['people']} people; AUC of verification, 0.5 is chance")
        table(["what", ">numbers", ">plain", ">95 %", ">trained"], [_row(leak) for leak in leaks])
    if given.output:
        write_result(given.output, result)
        note(f"result: {given.output}")
    return 0


def _row(leak: Leak) -> list[str]:
    return [
        leak.what,
        str(leak.numbers),
        f"{leak.plain:.3f}",
        f"{leak.plain_low:.3f} to {leak.plain_high:.3f}",
        "–" if leak.trained is None else f"{leak.trained:.3f}",
    ]
