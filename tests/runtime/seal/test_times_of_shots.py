"""When a shot was taken and when it was sealed: two times, each by a clock that is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.seal.ceremony import open_with_answers
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.envelope import unseal
from sealshot.runtime.seal.payload import Times, pack
from sealshot.runtime.seal.quorum import seal_to_quorum
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.times import format_hour, format_time, parse_time, utc_now
from sealshot.runtime.seal.warrant import RefusedError
from sealshot.runtime.vault.keeper import Keeper, Sealing

H, D, S = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


def opened(vault: Path, name: str, identity: X25519Identity):
    return unseal((vault / name).read_bytes(), [identity]).metadata


@pytest.mark.parametrize("jump", [5 * H, -20_000 * D])
def test_a_clock_that_jumped_is_put_right_inside_the_seal_too(
    tmp_path: Path, identity, shot, origin, steady_clock, jump: timedelta
) -> None:
    clock = steady_clock(NOON)
    with Keeper(tmp_path / "vault", Sealing(recipients=(identity.recipient,)), clock) as keeper:
        right = keeper.put(replace(shot, utc=format_time(clock.wall())), origin)
    clock.offset = jump
    clock.true += 10 * S
    with Keeper(tmp_path / "vault", Sealing(recipients=(identity.recipient,)), clock) as keeper:
        wrong = keeper.put(replace(shot, utc=format_time(clock.wall())), origin)
    known = opened(tmp_path / "vault", right, identity)
    assert (known.utc[:19], known.clock) == ("2026-03-10T12:00:00", "system")
    known = opened(tmp_path / "vault", wrong, identity)
    assert known.clock == "trusted"
    for text in (known.utc[:19] + "Z", known.sealed):
        time = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
        assert abs(time - clock.true) < 5 * S


def test_a_recording_has_its_own_time(tmp_path: Path, identity, shot, origin, steady_clock) -> None:
    sealing, clock = Sealing(recipients=(identity.recipient,)), steady_clock(NOON)
    last_year = replace(origin, started=NOON - 365 * D, clock="container")
    unknown = replace(origin, clock="processing")
    with Keeper(tmp_path / "vault", sealing, clock) as keeper:
        name = keeper.put(replace(shot, time_s=4.25), last_year)
        other = keeper.put(replace(shot, utc=format_time(clock.wall())), unknown)
    assert name.startswith("2026-03-10/")  # its epoch is that of its sealing
    known = opened(tmp_path / "vault", name, identity)
    assert known.utc == "2025-03-10T12:00:04.250Z"
    assert (known.sealed[:16], known.clock) == ("2026-03-10T12:00", "container")
    assert opened(tmp_path / "vault", other, identity).clock == "processing"


@pytest.mark.parametrize(
    ("began", "time_s"),
    [
        ("2000-01-01T00:00:00+05:00", 4.25),
        ("2999-12-31T23:59:58+00:00", 4.25),
        ("9999-12-31T23:59:59+00:00", 4.25),
        ("2026-03-10T10:00:00+00:00", 1e300),
    ],
)
def test_a_recording_of_a_time_that_no_warrant_is_for_is_sealed_as_of_now(
    tmp_path: Path, parties, shot, origin, reports: list[str], began: str, time_s: float
) -> None:
    """Nobody could have read the header of its shots."""
    hostile = replace(origin, started=datetime.fromisoformat(began), clock="container")
    now = replace(shot, utc=format_time(utc_now()), time_s=time_s)
    with Keeper(tmp_path / "vault", parties.sealing()) as keeper:
        names = [keeper.put(now, hostile) for _ in range(2)]
    for name in names:
        header = read_container((tmp_path / "vault" / name).read_bytes()).header
        assert now.utc[:13] <= header.taken <= header.hour
    assert len([told for told in reports if "no warrant is for" in told]) == 1


def test_a_shot_near_a_full_hour_fits_the_warrant_of_the_hour_it_was_taken_in(
    classical, parties, shot, origin
) -> None:
    """Taken at 10:59:58, sealed at 11:00:02: the warrant from 10 to 11 is for it."""
    hour = utc_now().replace(minute=0, second=0, microsecond=0) + H
    container = read_container(
        _sealed(classical, shot, origin, taken=hour - 2 * S, sealed=hour + 2 * S)
    )
    assert container.header.taken == format_hour(hour - 2 * S)
    assert container.header.hour == format_hour(hour + 2 * S)
    right = classical.warrant("judge", "police", period=(hour - H, hour))
    check_scope(right, container, classical.policy)
    names = ("judge", "police", "custodian")
    answers = [classical.answer_of(name, [container], right) for name in names]
    assert open_with_answers(container, right, classical.policy, answers).metadata.track == 3
    late = classical.warrant("judge", "police", period=(hour, hour + H))
    with pytest.raises(RefusedError, match="outside of the warrant's time"):
        check_scope(late, container, classical.policy)


def test_a_header_that_tells_another_hour_than_the_shot_is_found(classical, shot, origin) -> None:
    now = utc_now()
    sealed = _sealed(classical, shot, origin, taken=now, sealed=now, header=now - 2 * D)
    container = read_container(sealed)
    warrant = classical.warrant("judge", "police", period=(now - 3 * D, now + H))
    names = ("judge", "police", "custodian")
    answers = [classical.answer_of(name, [container], warrant) for name in names]
    with pytest.raises(RefusedError) as caught:
        open_with_answers(container, warrant, classical.policy, answers)
    assert caught.value.reason == "false-hour"


def test_what_says_inside_that_it_was_sealed_earlier_is_found(classical, shot, origin) -> None:
    """Who stole the key of a day seals of that day on, and evidence shows what is inside."""
    now = utc_now()
    warrant = classical.warrant("judge", "police", period=(now - 9 * D, now + H))
    names, camera = ("judge", "police", "custodian"), classical.camera
    midnight = f"{camera.key.day}T00"

    def opened_of(inside: datetime, outside: datetime, taken: datetime = now - 8 * D):
        plain = pack(shot, origin, Times(taken, inside, "system"))
        sealed = seal_to_quorum(plain, camera, classical.epoch_key, outside, taken, "0" * 32)
        container = read_container(sealed)
        answers = [classical.answer_of(name, [container], warrant) for name in names]
        return container.header, open_with_answers(container, warrant, classical.policy, answers)

    for taken, is_claimed in (
        (now - 8 * D, True),
        (now - D - S, True),
        (now - D, False),
        (now, False),
        (now + 9 * S, False),
        (now + H - S, True),
    ):
        _, opened = opened_of(now, now, taken)
        assert opened.metadata.is_claimed == is_claimed
    header, opened = opened_of(parse_time(midnight) - S, parse_time(midnight) - S)
    assert header.hour == midnight  # a clock that is a little behind
    assert opened.metadata.sealed < header.hour
    for inside, outside in (
        (now - 8 * D, now),
        (now - H, now),
        (parse_time(midnight) - 2 * D, parse_time(midnight)),
    ):
        with pytest.raises(RefusedError, match="says inside") as caught:
            opened_of(inside, outside)
        assert caught.value.reason == "false-hour"


def _sealed(world, shot, origin, *, taken, sealed, header=None) -> bytes:
    plain = pack(shot, origin, Times(taken, sealed, "system"))
    return seal_to_quorum(plain, world.camera, world.epoch_key, sealed, header or taken, "0" * 32)
