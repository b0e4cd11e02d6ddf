"""The run through the steps: what was found so far is on the disk after each of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from sealshot.benchmarks.board.check.page import write_page
from sealshot.benchmarks.board.check.report import INTERRUPTED, NOT_RUN, Report, Step
from sealshot.benchmarks.board.check.steps import FAILED, PASSED, Outcome, Subject
from sealshot.benchmarks.conditions.environment import Environment, environment
from sealshot.benchmarks.conditions.result_file import write_result
from sealshot.boards import boards, detect
from sealshot.runtime.cli.terminal import note
from sealshot.runtime.errors import SealshotError


def run(
    subject: Subject, steps: Sequence[tuple[str, Callable[[Subject], Outcome]]], command: str
) -> Report:
    """Take the steps in turn, and write what is known after each.

    A step that raises has failed, and the next one is taken; Ctrl-C ends the run.

    Raises:
        InputError: the results cannot be written.
    """
    done: list[Step] = []
    where = environment(("onnx", "openvino", "tensorrt"))
    report = _report(done, [name for name, _ in steps], command, where)
    _write(report, subject.plan.out)
    for i, (name, step) in enumerate(steps):
        note(f"{i + 1}/{len(steps)} {name}")
        start = time.monotonic()
        interrupted = False
        try:
            outcome = step(subject)
        except SealshotError as error:
            outcome = Outcome(FAILED, f"{error.fact}; {error.hint}" if error.hint else error.fact)
        except KeyboardInterrupt:
            outcome, interrupted = Outcome(INTERRUPTED, "stopped by the user"), True
        except Exception as error:  # a defect in one step must not take the others with it
            outcome = Outcome(FAILED, f"{type(error).__name__}: {error}")
        done.append(Step(name, round(time.monotonic() - start, 1), outcome))
        left = [name for name, _ in steps[i + 1 :]]
        report = _report(done, left, command, where)
        _write(report, subject.plan.out)
        if interrupted:
            break
    return report


def _report(done: Sequence[Step], left: Sequence[str], command: str, where: Environment) -> Report:
    found = detect()
    rest = [Step(name, 0.0, Outcome(NOT_RUN, "the run ended before it")) for name in left]
    verdicts = [step.outcome.verdict for step in done]
    verdict = next((v for v in (INTERRUPTED, FAILED) if v in verdicts), PASSED)
    return Report(
        kind="board check",
        board=found.board or "",
        title=boards()[found.board].title if found.board else found.model or "an unknown board",
        verdict=NOT_RUN if not done else verdict,
        steps=(*done, *rest),
        command=command,
        environment=where,
    )


def _write(report: Report, out: Path) -> None:
    write_result(out / "check.json", asdict(report))
    write_page(report, out / "check.html")
