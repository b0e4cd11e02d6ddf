"""SIGKILL at the system calls of a run that heals, purges, seals, replaces, makes room and closes.

A kill changes nothing on the disk but what the process had asked for until then. So a kill just
before a call that does not change files leaves the same files as one before the next call that
does: by default the latter alone are tried, with SEALSHOT_ALL_FAULTS=1 every call.
"""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

CHANGING = re.compile(
    r" (openat\(.*O_CREAT|(write|pwrite64|fsync|rename\w*|unlink\w*|mkdir\w*|rmdir|ftruncate|flock"
    r"|exit_group)\()"
)
pytestmark = pytest.mark.usefixtures("strace")


def _kill_at_each(yard: Any, order: Any, calls: Sequence[Any]) -> tuple[int, dict[str, Any]]:
    """Kill a writer at each call; return how many died, and the verdict of each."""
    killed, verdicts = 0, {}
    for call in calls:
        trial = replace(order, vault=yard.new_vault())
        inject = f"inject={call.name}:signal=KILL:when={call.number}"
        told = yard.run(trial, ["-e", f"trace={call.name}", "-e", inject, "-o", "/dev/null"])
        killed += told.status == -signal.SIGKILL
        verdicts[str(call)] = yard.judge(trial, told)
        shutil.rmtree(trial.vault)
    return killed, verdicts


def test_a_kill_at_each_call_loses_nothing(yard, order, tell) -> None:
    calls = [call for call in yard.calls(order) if yard.every or CHANGING.search(call.text)]
    killed, verdicts = _kill_at_each(yard, order, calls)
    which = "every call" if yard.every else "each call that changes files"
    tell(f"SIGKILL at {which}: {killed} killed, {yard.count(verdicts.values())}")
    assert {call: v.faults for call, v in verdicts.items() if v.faults} == {}
    assert killed > 60
    assert killed >= 0.9 * len(calls)  # the others do not come every time, as futex


@pytest.mark.parametrize(
    ("flaw", "call", "fault"),
    [
        ("hasty", "rename", "lost"),
        ("not atomic", "write", "damaged"),
        ("plain file", "rename", "plain"),
    ],
)
def test_the_kills_find_a_flaw_that_is_built_in(flaw, call, fault, yard, order) -> None:
    """Controls: who acknowledges early, writes in place, or goes through a plain file, is seen."""
    flawed = replace(order, flaw=flaw)
    calls = [
        made for made in yard.calls(flawed) if made.name == call and CHANGING.search(made.text)
    ]
    if flaw == "plain file":
        calls = [
            made for made in yard.calls(flawed) if ".jpg" in made.text and "unlink" in made.name
        ]
    _, verdicts = _kill_at_each(yard, flawed, calls)
    assert any(fault in verdict.faults for verdict in verdicts.values())
