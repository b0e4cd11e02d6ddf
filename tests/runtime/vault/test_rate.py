"""So many people a minute, of whom the best stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sealshot.runtime.errors import InputError
from sealshot.runtime.seal.entries import Purged, Sealed
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.rate import Rate
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import list_objects


def test_of_a_burst_the_best_stay() -> None:
    """Somebody walks by, well seen, while a screen flashes 200 faces."""
    rate, kept = Rate(10), set()
    for number in range(200):
        name, score = ("person", 0.9) if number == 77 else (f"made-up {number}", number / 1000)
        kept.add(name)
        kept -= set(rate.over(name, score, None, number / 10))
    assert "person" in kept
    assert len(kept) == 10


def test_who_comes_a_minute_later_takes_nobody_s_place() -> None:
    rate = Rate(2)
    assert [rate.over(str(at), 0.1, None, 31.0 * at) for at in range(6)] == [[]] * 6
    assert rate.over("worse", 0.0, None, 156.0) == ["worse"]


def test_a_better_shot_of_a_person_is_no_other_person() -> None:
    rate = Rate(2)
    assert rate.over("a", 0.1, None, 0.0) == []
    assert rate.over("b", 0.2, None, 1.0) == []
    assert rate.over("a better", 0.3, "a", 2.0) == []
    assert rate.over("c", 0.4, None, 3.0) == ["b"]


def test_a_rate_of_nobody_is_refused() -> None:
    with pytest.raises(InputError):
        Rate(0)


def test_a_run_keeps_to_its_rate_and_logs_what_goes(
    tmp_path: Path, parties, shot, origin, reports: list[str]
) -> None:
    vault, scores = tmp_path / "vault", (-5.0, -1.0, -4.0, -2.0, -3.0)
    with Keeper(vault, replace(parties.sealing(), rate=2)) as keeper:
        names = [keeper.put(replace(shot, score=score), origin) for score in scores]
    assert {found.id for found in list_objects(vault)} == {names[1], names[3]}
    entries = list(entries_of(lines_in(vault / LOG)))
    assert [e.id for e in entries if isinstance(e, Sealed)] == names
    purged = [(e.id, e.reason) for e in entries if isinstance(e, Purged)]
    assert purged == [(names[0], "rate"), (names[2], "rate"), (names[4], "rate")]
    assert [report for report in reports if "in a minute" in report] == [
        "more than 2 people came in a minute: the 1 shots with the lowest scores were deleted",
        "more than 2 people came in a minute: the 2 shots with the lowest scores were deleted",
    ]
