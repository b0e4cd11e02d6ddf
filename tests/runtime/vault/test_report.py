"""What logs say of a period."""

from __future__ import annotations

from dataclasses import replace

from sealshot.runtime.seal.documents import Document
from sealshot.runtime.seal.entries import (
    Alive,
    Answered,
    Destroyed,
    HoldEnded,
    HoldKept,
    HoldPlaced,
    Other,
    PolicyChanged,
    Published,
    Purged,
    Refused,
    Rewrapped,
    Sealed,
    Started,
    Stopped,
    Uploaded,
)
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy, make_policy
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.times import parse_time
from sealshot.runtime.vault.record import BETTER
from sealshot.runtime.vault.report import Hold, OfCase, Period, of_camera, of_party

NOVEMBER = Period(parse_time("2026-11-01"), parse_time("2026-12-01"))


def policy_of(retention: str) -> Policy:
    custodian = Party("custodian", "c", SigningKey.generate().verify_key)
    authority = Party("authority", "a", SigningKey.generate().verify_key)
    return make_policy(1, retention, "day", "epochs", custodian, (authority,))


def next_of(policy: Policy, retention: str, time: str) -> Policy:
    """A version that follows, signed by nobody: what it rules is at issue here."""
    change = Document("sealshot/policy-change/1", {"time": time})
    return replace(policy, retention=retention, previous=policy, change=change)


POLICY = policy_of("30d")


def name(day: str, number: int) -> str:
    return f"{day}/{number:032x}.sealed"


def test_a_camera_that_starts_is_killed_and_stops() -> None:
    old, better, young = name("2026-10-01", 1), name("2026-11-02", 3), name("2026-12-01", 5)
    entries = [
        Started("2026-10-01T10", 2, "p"),
        Sealed("2026-10-01T10", old, "a"),
        Alive("2026-10-31T23"),
        Alive("2026-11-01T00"),
        Sealed("2026-11-02T08", name("2026-11-02", 2), "b"),
        Sealed("2026-11-02T08", better, "c"),
        Purged("2026-11-02T08", name("2026-11-02", 2), BETTER, better),
        Started("2026-11-03T09", 2, "p"),  # it was killed
        Uploaded("2026-11-03T09", better),
        Stopped("2026-11-03T10"),
        Purged("2026-11-03T12", better, "uploaded"),  # while nobody watches
        Sealed("2026-12-01T00", young, "d"),
    ]
    report = of_camera(entries, NOVEMBER, POLICY)
    assert (report.hours, report.watched) == (720, 4)
    assert (report.starts, report.unclean) == (1, 1)
    assert (report.sealed, report.uploaded) == (2, 1)
    assert report.purged == {BETTER: 1, "uploaded": 1}
    assert (report.there, report.over) == (1, 1)


def test_a_hold_is_told_while_it_is_in_force() -> None:
    entries = [
        HoldPlaced("2026-09-01T00", "w1", "case 1", "2026-10-01T00:00:00Z"),
        HoldPlaced("2026-10-01T00", "w2", "case 2", "2027-01-01T00:00:00Z"),
        HoldEnded("2026-10-01T00", "w1", "2026-10-01T00:00:00Z"),
        HoldPlaced("2026-11-05T00", "w3", "case 3", "2026-11-06T00:00:00Z"),
        HoldEnded("2026-11-06T00", "w3", "2026-11-06T00:00:00Z"),
    ]
    second = Hold("case 2", "w2", "2027-01-01T00:00:00Z", "2026-10-01T00")
    third = Hold("case 3", "w3", "2026-11-06T00:00:00Z", "2026-11-05T00", "2026-11-06T00")
    assert of_camera(entries, NOVEMBER, POLICY).holds == [second, third]


def test_who_opened_what_and_who_refused() -> None:
    entries = [
        Answered("2026-10-31T23:59:59Z", "1", "w", "case"),
        Answered("2026-11-01T00:00:00Z", "2", "w", "case"),
        Answered("2026-11-09T00:00:00Z", "3", "w", "case"),
        Answered("2026-11-09T00:00:00Z", "4", "v", "other"),
        Refused("2026-11-09T00:00:00Z", "expired", "v", "other"),
        Refused("2026-11-09T00:00:00Z", "outside-time", "v", "other", id="5"),
        Refused("2026-12-09T00:00:00Z", "expired", "v", "other"),
        Rewrapped("2026-11-10T00:00:00Z", "6", "h", "held", 2),
        Rewrapped("2026-12-10T00:00:00Z", "7", "h", "held", 2),
        Other({"event": "of tomorrow"}),
    ]
    report = of_party(entries, NOVEMBER, POLICY)
    assert report.answered == [
        OfCase("case", "w", 2, "2026-11-01T00:00:00Z", "2026-11-09T00:00:00Z"),
        OfCase("other", "v", 1, "2026-11-09T00:00:00Z", "2026-11-09T00:00:00Z"),
    ]
    assert report.refused == {"expired": 1, "outside-time": 1}
    times = "2026-11-10T00:00:00Z", "2026-11-10T00:00:00Z"
    assert report.rewrapped == [OfCase("held", "h", 1, *times)]


def test_keys_that_were_destroyed_on_time_late_or_never() -> None:
    """A key of 10 October is over at the end of that day and 30 more: 10 November."""
    days = ["2026-10-10", "2026-10-11", "2026-10-12", "2026-10-30", "2026-10-31"]
    entries = [
        *(Published("2026-10-01T00:00:00Z", day, "r") for day in days),
        HoldKept("2026-10-15T00:00:00Z", "1", "w", "case", "2026-11-20T00:00:00Z"),
        HoldKept("2026-10-15T00:00:00Z", "2", "w", "case", "2026-11-20T00:00:00Z"),
        Published("2026-11-01T00:00:00Z", "2026-11-08", "r"),
        Destroyed("2026-11-10T00:00:05Z", epoch=days[0]),
        Destroyed("2026-11-20T00:00:05Z", warrant="w"),
        Destroyed("2026-11-25T00:00:05Z", epoch=days[1]),
        Destroyed("2026-12-02T00:00:05Z", epoch=days[3]),
    ]
    report = of_party(entries, NOVEMBER, POLICY)
    assert (report.published, report.due, report.destroyed) == (1, 4, 1)
    assert report.late == {
        days[1]: "2026-11-25T00:00:05Z",
        days[2]: "",
        days[3]: "2026-12-02T00:00:05Z",
    }
    assert report.cases_destroyed == 1
    kept = Hold(
        "case", "w", "2026-11-20T00:00:00Z", "2026-10-15T00:00:00Z", "2026-11-20T00:00:05Z", 2
    )
    assert report.holds == [kept]


SHORTER = next_of(POLICY, "10d", "2026-11-05T00:00:00Z")
LONGER = next_of(policy_of("10d"), "30d", "2026-11-05T00:00:00Z")


def test_a_key_is_late_by_the_rules_of_its_time_and_not_by_those_that_came_later() -> None:
    """Under 10 days a key of 10 October was over on 21 October; under 30, on 10 November."""
    made = Published("2026-10-01T00:00:00Z", "2026-10-10", "r")
    took_force = PolicyChanged("2026-11-05T08:00:00Z", SHORTER.digest, 2, POLICY.digest)
    soon = Destroyed("2026-11-05T08:00:01Z", epoch="2026-10-10")
    later = Destroyed("2026-11-10T00:00:05Z", epoch="2026-10-10")
    report = of_party([made, took_force, soon], NOVEMBER, SHORTER)
    assert (report.due, report.destroyed, report.late) == (1, 1, {})
    report = of_party([made, took_force, later], NOVEMBER, SHORTER)
    assert report.late == {"2026-10-10": "2026-11-10T00:00:05Z"}
    report = of_party([made, later], NOVEMBER, SHORTER)  # it never heard of that version
    assert (report.due, report.destroyed) == (1, 1)


def test_a_longer_retention_excuses_no_key_that_was_made_before() -> None:
    made = [Published("2026-10-30T00:00:00Z", day, "r") for day in ("2026-10-30", "2026-11-06")]
    took_force = PolicyChanged("2026-11-05T08:00:00Z", LONGER.digest, 2, "p")
    after = Published("2026-11-05T09:00:00Z", "2026-11-07", "r")
    report = of_party([*made, took_force, after], NOVEMBER, LONGER)
    assert report.late == {"2026-10-30": "", "2026-11-06": ""}  # that of 7 November: 8 December
    early = of_party([took_force, after], Period(NOVEMBER.end, parse_time("2027-01-01")), LONGER)
    assert early.due == 1


def test_a_camera_s_shots_are_over_by_the_version_that_it_had() -> None:
    sealed = Sealed("2026-10-25T10", name("2026-10-25", 1), "a")
    before = [Started("2026-10-25T10", 2, "p"), sealed]
    assert of_camera(before, Period(NOVEMBER.start, parse_time("2026-11-20")), SHORTER).over == 0
    changed = PolicyChanged("2026-11-05T08", SHORTER.digest, 2, POLICY.digest)
    assert of_camera([*before, changed], NOVEMBER, SHORTER).over == 1
