"""No space left: at each call that can say so, for once and for good, and on a disk that is full.

The errors are injected by strace. For good, every third call is tried, all of them with
SEALSHOT_ALL_FAULTS=1.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

TAKES_SPACE = re.compile(r" (openat\(.*O_CREAT|write\((?!1,)|(fsync|rename\w*|mkdir\w*)\()")
PAGE = 4096


def _badly_told(told: Any) -> list[str]:
    """What a person was not told as they need it: the fact, a hint, the exit code."""
    if "finished" not in told.events[-1]:
        return ["it fell over"]
    return [
        failure["fact"] + "; " + failure["hint"]
        for failure in told.failures
        if "No space left" not in failure["fact"] or not failure["hint"] or failure["code"] != 1
    ]


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("until", ["once", "for good"])
def test_no_space_at_each_call_loses_nothing(until, yard, order, tell) -> None:
    """Once: there is room again for the next shot of the same run. For good: it gives up."""
    verdicts, badly_told, failures = {}, {}, 0
    calls = [
        call
        for call in yard.calls(replace(order, quota_bytes=None))
        if TAKES_SPACE.search(call.text)
    ]
    for call in calls if until == "once" or yard.every else calls[::3]:
        # without the quota, that makes room for a shot whose storing failed at the last moment
        trial = replace(
            order, vault=yard.new_vault(), quota_bytes=None, gives_up=until == "for good"
        )
        when = f"when={call.number}{'+' if until == 'for good' else ''}"
        trace = call.name
        if call.name == "write" and until == "for good":
            trace, when = "fsync", f"when={call.number}+"  # the writer tells its steps by write
        told = yard.run(
            trial,
            ["-e", f"trace={trace}", "-e", f"inject={trace}:error=ENOSPC:{when}", "-o/dev/null"],
        )
        badly_told[str(call)] = _badly_told(told)
        failures += bool(told.failures)
        verdicts[str(call)] = yard.judge(trial, told)
        shutil.rmtree(trial.vault)
    tell(f"ENOSPC {until}: {failures} failed, {yard.count(verdicts.values())}")
    assert {call: v.faults for call, v in verdicts.items() if v.faults} == {}
    assert {call: facts for call, facts in badly_told.items() if facts} == {}
    assert failures > 20


@pytest.mark.parametrize("small_disk", ["1m"], indirect=True)
def test_a_disk_that_fills_up_page_by_page_loses_nothing(small_disk, yard, order, tell) -> None:
    """As many free pages as it takes, from none to enough: each page once is the one that fails.

    Unlike an injected error, a real full disk takes the part of a write that still fits.
    """
    verdicts, badly_told, failures = {}, {}, 0
    for free in range(20):
        vault = small_disk / "vault"
        shutil.copytree(yard.template, vault)
        _fill(small_disk, free)
        trial = replace(order, vault=vault, quota_bytes=None)
        told = yard.run(trial)
        badly_told[free] = _badly_told(told)
        failures += bool(told.failures)
        (small_disk / "filler").unlink()
        verdicts[free] = yard.judge(trial, told)
        shutil.rmtree(vault)
    tell(f"full disk: {failures} failed, {yard.count(verdicts.values())}")
    assert {free: v.faults for free, v in verdicts.items() if v.faults} == {}
    assert {free: facts for free, facts in badly_told.items() if facts} == {}
    assert 5 < failures < len(verdicts)


def _fill(disk: Path, free: int) -> None:
    """Leave that many pages free."""
    usage = shutil.disk_usage(disk)
    with (disk / "filler").open("wb") as filler:
        filler.write(bytes(usage.free - free * PAGE))
