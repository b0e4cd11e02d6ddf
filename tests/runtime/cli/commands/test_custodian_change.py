"""A custodian that is replaced: its cameras follow by themselves, and old shots open by the old."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands import custodian as custodian_command
from sealshot.runtime.cli.commands.camera import read_camera, read_keys
from sealshot.runtime.cli.commands.parties import single_identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.seal import documents
from sealshot.runtime.seal.ceremony import read_answer, write_request
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.epochs import KEY_SUFFIX, end_of_key
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import changes_folder, read_policy
from sealshot.runtime.seal.times import epoch_end, utc_now
from sealshot.runtime.seal.warrant import new_warrant
from sealshot.runtime.vault import caretaker
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import LOG

D = timedelta(days=1)


def change(parties, custodian: Path, retention: str = "30d") -> None:
    """Put a version with this custodian into force in the shared folder."""
    shared, keys = parties.policy.parent, ("judge", "police", "ombudsman")
    public = [str(parties.key(name).with_suffix(".pub")) for name in keys]
    options = ["--quorum", "2", "--retention", retention, "--epoch-keys", "epochs", "--custodian"]
    options += [str(custodian / f"{custodian.name}.pub"), "-o", str(shared / "next.toml")]
    assert main(["policy", "new", *public, *options]) == 0
    policy, document = ["--policy", str(parties.policy)], str(shared / "change.json")
    assert main(["policy", "change", str(shared / "next.toml"), *policy, "-o", document]) == 0
    for name in ("judge", "police"):
        key = str(parties.key(name))
        assert main(["policy", "sign", document, *policy, "--key", key]) == 0
    assert main(["policy", "adopt", document, *policy]) == 0


def publish(parties, custodian: Path, action: str = "rotate") -> int:
    to = ["--to", str(parties.policy.parent / "epochs"), "--ahead", "2d"]
    policy = ["--policy", str(parties.policy)]
    return main(["custodian", action, str(custodian), *policy, *to])


@pytest.fixture
def second(fresh_parties) -> Path:
    folder = fresh_parties.custodian.parent / "second"
    assert main(["custodian", "new", str(folder)]) == 0
    return folder


def test_a_running_camera_follows_to_a_new_custodian_by_itself(
    fresh_parties, second, tmp_path, shot, origin, steady_clock, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(caretaker, "TICK_EVERY_S", 0.0)
    parties, vault, clock = fresh_parties, tmp_path / "vault", steady_clock(utc_now())
    newest = partial(read_keys, parties.camera_policy)
    with Keeper(vault, replace(parties.sealing(), newest_keys=newest), clock) as keeper:
        change(parties, second)
        assert publish(parties, second) == 0
        before = keeper.put(shot, origin)
        clock.true += D
        keeper.tick()
        after = keeper.put(shot, origin)
    assert changes_folder(parties.camera_policy).is_dir()
    policy = read_policy(parties.camera_policy)
    headers = [read_container((vault / one).read_bytes()).header for one in (before, after)]
    under = [policy.of(header.policy) for header in headers]
    assert [one.custodian.name for one in under if one] == ["custodian", "second"]

    recipient = next(w for w in parties.investigator.read_text().split() if "age1pq" in w)
    shared = ["--policy", str(parties.policy)]
    warrant, request = str(tmp_path / "w.json"), str(tmp_path / "r.zip")
    new = ["warrant", "new", "--case", "7", "--camera", str(parties.camera_pub), "--from"]
    new += ["2020-01-01", "--to", "2999-01-01", "--investigator", recipient, "-o", warrant]
    assert main([*new, *shared]) == 0
    answers: list[str] = []
    for name in ("judge", "police"):
        assert main(["warrant", "sign", warrant, *shared, "--key", str(parties.key(name))]) == 0
    opening = ["open", str(vault), "--warrant", warrant, *shared]
    assert main([*opening, "--request", request]) == 0
    asked = ["answer", request, "--warrant", warrant, *shared]
    for party in (parties.custodian, second):  # each has the keys of its own time
        out = str(tmp_path / f"{party.name}.answer")
        assert main(["custodian", *asked, "--keys", str(party), "-o", out]) == 2
        answers += ["--answer", out]
    for name in ("judge", "police"):
        out = str(tmp_path / f"{name}.answer")
        assert main(["authority", *asked, "--key", str(parties.key(name)), "-o", out]) == 0
        answers += ["--answer", out]
    identity = ["--identity", str(parties.investigator), "-o", str(tmp_path / "out")]
    assert main([*opening, *identity, *answers]) == 0


def test_a_former_custodian_publishes_nothing_and_goes_on_destroying(
    fresh_parties, second, capsys: pytest.CaptureFixture[str]
) -> None:
    change(fresh_parties, second)
    assert publish(fresh_parties, fresh_parties.custodian) == 2
    told = capsys.readouterr().err
    assert "not the custodian of version 2 of the policy any more" in told
    assert "epoch keys and 0 keys of cases destroyed" in told  # the timer that it has goes on
    policy = ["--policy", str(fresh_parties.policy)]
    assert main(["custodian", "destroy", str(fresh_parties.custodian), *policy]) == 0


def test_one_from_there_that_cannot_take_force_is_told_and_left(
    fresh_parties, second, reports: list[str]
) -> None:
    change(fresh_parties, second)
    assert publish(fresh_parties, second) == 0
    there = fresh_parties.policy.parent / "epochs" / "policy.d" / "2.json"
    for bad in (b"", b"garbage", there.read_bytes().replace(b'"quorum": 2', b'"quorum": 1')):
        there.write_bytes(bad)
        reports.clear()
        keys = read_keys(fresh_parties.camera_policy)
        assert keys.policy.version == 1
        assert len(reports) == 1
        assert "a new version of the policy" in reports[0]
    assert not changes_folder(fresh_parties.camera_policy).exists()


def test_one_from_there_that_cannot_be_kept_takes_no_force(
    fresh_parties, second, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The camera's next start would find its log ahead of its policy."""
    change(fresh_parties, second)
    assert publish(fresh_parties, second) == 0
    with monkeypatch.context() as full:
        full.setattr(documents, "write_atomic", full_disk)
        assert read_keys(fresh_parties.camera_policy).policy.version == 1
    assert "is left: cannot write" in reports[0]
    assert read_keys(fresh_parties.camera_policy).policy.version == 2


def full_disk(path: Path, *_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_a_fork_is_not_published(fresh_parties, capsys: pytest.CaptureFixture[str]) -> None:
    """A second version, properly signed, that is another one than the custodian's log has."""
    parties, there = fresh_parties, fresh_parties.policy.parent / "epochs" / "policy.d"
    change(parties, parties.custodian, "20d")
    assert publish(parties, parties.custodian) == 0
    files = {file.name: file.read_bytes() for file in there.iterdir()}
    shutil.rmtree(changes_folder(parties.policy))
    for name in ("next.toml", "change.json"):
        (parties.policy.parent / name).unlink()
    change(parties, parties.custodian, "10d")
    assert publish(parties, parties.custodian) == 2
    assert "it was replaced, or is a fork" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in there.iterdir()} == files


def test_keys_die_on_time_although_nothing_can_be_published(
    fresh_parties, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    to = ["--to", str(tmp_path / "file" / "epochs"), "--policy", str(fresh_parties.policy)]
    destroyed: list[Path] = []
    monkeypatch.setattr(custodian_command, "destroy_file", destroyed.append)
    monkeypatch.setattr(custodian_command, "expired", lambda *_: ["2020-01-01"])
    assert main(["custodian", "rotate", str(fresh_parties.custodian), *to]) == 2
    assert [path.stem for path in destroyed] == ["2020-01-01"]


def test_keys_that_are_published_and_lost_are_told(
    fresh_parties, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cameras seal to them: by the backup of its signing key alone a custodian opens nothing."""
    secrets = sorted((fresh_parties.custodian / "epochs").glob("*" + KEY_SUFFIX))
    assert publish(fresh_parties, fresh_parties.custodian) == 0
    assert "not in" not in capsys.readouterr().err
    for path in secrets:
        path.unlink()
    assert publish(fresh_parties, fresh_parties.custodian) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"{len(secrets)} keys are published and not in" in said
    assert f"{secrets[0].stem} to {secrets[-1].stem}. What is sealed to them opens only" in said


@pytest.mark.parametrize("way", ["moved", "restored"])
def test_who_takes_over_answers_no_more_for_what_was_erased(
    way: str, fresh_parties, second, tmp_path, shot, origin, capsys
) -> None:
    """Its own log does not have the order, and the authorities are as they were."""
    parties, old, vault = fresh_parties, fresh_parties.custodian, tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        erased, other = (keeper.put(shot, origin) for _ in range(2))
    shared = ["--policy", str(parties.policy)]

    def warrant(name: str, *more: str) -> list[str]:
        out = str(tmp_path / name)
        new = ["warrant", "new", "--case", "7", "--camera", str(parties.camera_pub), *shared]
        assert main([*new, "--from", "2020-01-01", "--to", "2999-01-01", *more, "-o", out]) == 0
        for name in ("judge", "police"):
            assert main(["warrant", "sign", out, *shared, "--key", str(parties.key(name))]) == 0
        return ["--warrant", out]

    order = warrant("erase.json", "--purpose", "erase", "--shot", Path(erased).stem)
    assert main(["custodian", "erase", str(old), *shared, *order]) == 0
    if way == "moved":
        for name in ("epochs", ".erasures"):
            shutil.copytree(old / name, second / name, dirs_exist_ok=True)
    else:
        keeper_of, keys = str(tmp_path / "third"), str(tmp_path / "published")
        assert main(["custodian", "new", keeper_of]) == 0
        assert main(["custodian", "rotate", keeper_of, *shared, "--to", keys, "--second"]) == 0
        by, to = ["--second", str(tmp_path / "third" / "third.pub")], str(tmp_path / "backup")
        assert (
            main(["custodian", "backup", str(old), *shared, *by, "--from", keys, "--to", to]) == 0
        )
        restore = ["custodian", "restore", to, *shared, "--keys", keeper_of, "--to", str(second)]
        assert main(restore) == 0
    change(parties, second)
    recipient = next(w for w in parties.investigator.read_text().split() if "age1pq" in w)
    under, request = warrant("w.json", "--investigator", recipient), str(tmp_path / "r.zip")
    assert main(["open", str(vault), *under, *shared, "--request", request]) == 0
    capsys.readouterr()
    asked = ["custodian", "answer", request, *under, *shared, "--keys", str(second), "--json"]
    assert main([*asked, "-o", str(tmp_path / "a")]) == 2
    said = capsys.readouterr()
    assert "refused (erased)" in said.err
    assert json.loads(said.out)["answered"] == [Path(other).stem]


@pytest.mark.parametrize(("retention", "days"), [("60d", 30), ("7d", 7)])
def test_a_key_lives_no_longer_than_it_was_made_for(
    fresh_parties, retention: str, days: int
) -> None:
    """A longer retention is for what is sealed from then on; a shorter one for all."""
    keys = sorted((fresh_parties.custodian / "epochs").glob("*" + KEY_SUFFIX))
    change(fresh_parties, fresh_parties.custodian, retention)
    policy = read_policy(fresh_parties.policy)
    assert [end_of_key(key, policy) - epoch_end(key.stem) for key in keys] == [days * D] * len(keys)
    assert policy.end_of(keys[0].stem) - epoch_end(keys[0].stem) == days * D
    later = "2050-01-01"
    assert policy.end_of(later) - epoch_end(later) == policy.retention_time
    first = policy.versions[-1].digest
    assert policy.end_of(later, first) - epoch_end(later) == min(30, policy.retention_time.days) * D
    assert publish(fresh_parties, fresh_parties.custodian) == 0
    camera = read_keys(fresh_parties.camera_policy)
    for key in keys:
        found = camera.get(key.stem)
        assert found is not None
        assert found.destroy_at - epoch_end(key.stem) == days * D


def test_a_vault_keeps_nothing_for_longer_than_it_was_sealed_for(
    fresh_parties, tmp_path, shot, origin, steady_clock
) -> None:
    parties, vault, clock = fresh_parties, tmp_path / "vault", steady_clock(utc_now())
    with Keeper(vault, parties.sealing(), clock) as keeper:
        name = keeper.put(shot, origin)
    change(parties, parties.custodian, "60d")
    assert publish(parties, parties.custodian) == 0
    policy = read_keys(parties.camera_policy).policy
    after = Sealing(camera=read_camera(parties.camera_policy), retention=policy.retention_time)
    clock.true += 29 * D
    Keeper(vault, replace(after, clock_is_right=True), clock).close()
    assert (vault / name).exists()
    clock.true += 3 * D
    Keeper(vault, after, clock).close()
    assert not (vault / name).exists()
    cameras = [read_party(parties.camera_pub, "camera")]
    read = partial(read_logged, vault / LOG, cameras, retention=policy.retention_time)
    assert read(policy=policy).unexplained == {}
    assert read().unexplained.keys() == {name}


def test_a_custodian_with_a_new_signing_key_answers_with_the_epoch_keys_that_it_had(
    fresh_parties, second, tmp_path, shot, origin
) -> None:
    parties, vault = fresh_parties, tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        name = keeper.put(shot, origin)
    (second / "epochs").rmdir()
    (parties.custodian / "epochs").rename(second / "epochs")
    change(parties, second)
    assert publish(parties, second) == 0
    container = read_container((vault / name).read_bytes())
    policy, now = read_keys(parties.camera_policy).policy, utc_now().replace(microsecond=0)
    me = single_identity(parties.investigator)
    camera = read_party(parties.camera_pub, "camera")
    period, valid = (now - 9999 * D, now + D), (now - D, now + D)
    warrant = new_warrant("7", "open", policy, [camera], period, valid, me.recipient)
    document = warrant.document
    for authority in ("judge", "police"):
        document = document.signed(SigningKey.of_authority(single_identity(parties.key(authority))))
    files = [tmp_path / one for one in ("w.json", "r.zip", "answer")]
    files[0].write_bytes(document.encode())
    files[1].write_bytes(write_request([container]))
    asked = [str(files[1]), "--warrant", str(files[0]), "--policy", str(parties.policy)]
    keys = ["--keys", str(second), "-o", str(files[2])]
    assert main(["custodian", "answer", *asked, *keys]) == 0
    given = read_answer(files[2].read_bytes(), warrant, policy, [me])
    assert (given.party.name, list(given.secrets)) == ("second", [container.header.id])
