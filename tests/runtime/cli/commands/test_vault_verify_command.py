"""`sealshot vault verify` and `stats`: each way in which a vault can be wrong is named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sealshot.runtime.cli.commands.camera import read_camera
from sealshot.runtime.cli.main import main
from sealshot.runtime.seal.checkpoint import checkpoint_path
from sealshot.runtime.seal.container import read_container, strip
from sealshot.runtime.seal.entries import Purged
from sealshot.runtime.seal.envelope import seal
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.party import read_party
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.vault.keeper import Keeper
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import BETTER, LOG
from sealshot.runtime.vault.store import Vault, list_objects, read_object
from sealshot.runtime.vault.verify import (
    ALTERED,
    FOREIGN,
    LEFT,
    MISPLACED,
    MISSING,
    OVERDUE,
    UNKNOWN,
    Rules,
    check_objects,
)

Answer = tuple[int, dict[str, Any], str]


@pytest.fixture
def vault(tmp_path: Path, parties, shot, origin) -> Path:
    """Three shots that are there, one that was purged; with first key, start and stop 8 entries."""
    folder = tmp_path / "vault"
    with Keeper(folder, parties.sealing()) as keeper:
        old = keeper.put(shot, origin)
        for _ in range(2):
            keeper.put(shot, origin)
        keeper.put(shot, origin, replaces=old)
    return folder


@pytest.fixture
def verify(vault: Path, parties, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def run(*options: object) -> Answer:
        capsys.readouterr()
        given = options or ("--policy", parties.camera_policy)
        code = main(["vault", "verify", str(vault), "--json", *map(str, given)])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else {}, err

    return run


def first(vault: Path) -> Path:
    return list_objects(vault)[0].path


def test_a_vault_that_is_as_it_should_be(vault: Path, verify, parties, capsys) -> None:
    for options in (
        ("--policy", parties.camera_policy),
        ("--camera", parties.camera_pub),
        ("--camera", parties.camera_pub, "--policy", parties.policy),
        ("--camera", parties.camera_pub, "--log", vault / LOG),
        ("--camera", parties.camera_pub, "--checkpoint", checkpoint_path(vault / LOG)),
    ):
        code, found, err = verify(*options)
        assert (code, found["ok"], found["wrong"]) == (0, True, []), err
        assert found["counts"] == {"present": 3, "purged": 1}
        assert found["log_entries"] == 8
    assert main(["vault", "verify", str(vault), "--policy", str(parties.camera_policy)]) == 0
    out, err = capsys.readouterr()
    assert "nothing is wrong" in out
    assert "the log has 8 entries" in err


def _flip(vault: Path, _: Any) -> None:
    data = bytearray(first(vault).read_bytes())
    data[len(data) // 2] ^= 1
    first(vault).write_bytes(data)


def _cut(vault: Path, _: Any) -> None:
    os.truncate(first(vault), 1000)


def _empty(vault: Path, _: Any) -> None:
    first(vault).write_bytes(b"")


def _link(vault: Path, _: Any) -> None:
    path = first(vault)
    path.rename(vault / "elsewhere")
    path.symlink_to(vault / "elsewhere")


def _strip(vault: Path, _: Any) -> None:
    first(vault).write_bytes(strip(read_container(first(vault).read_bytes())))


def _rename(vault: Path, _: Any) -> None:
    shutil.copy(first(vault), first(vault).with_name("0" * 32 + ".sealed"))


def _move(vault: Path, _: Any) -> None:
    (vault / "2026-01-01").mkdir()
    shutil.copy(first(vault), vault / "2026-01-01")


def _remove(vault: Path, _: Any) -> None:
    first(vault).unlink()


def _restore(vault: Path, parties: Any) -> None:
    camera = read_camera(parties.camera_policy)
    with Log(vault / LOG, camera.name, camera.key) as log:
        name = f"{first(vault).parent.name}/{first(vault).name}"
        log.append(Purged(log.latest, name, "retention"))


def _not_age(vault: Path, _: Any) -> None:
    with Vault(vault) as store:
        store.store(b"age-encryption.org/v1\n-> X25519 no")


WRONGS: dict[str, tuple[Callable[[Path, Any], None], str]] = {
    "a bit flipped": (_flip, ALTERED),
    "cut short": (_cut, ALTERED),
    "empty": (_empty, ALTERED),
    "a link": (_link, ALTERED),
    "no payload": (_strip, FOREIGN),
    "copied under another name": (_rename, MISPLACED),
    "copied into another epoch": (_move, MISPLACED),
    "taken away": (_remove, MISSING),
    "there, though purged": (_restore, LEFT),
    "half an age file": (_not_age, ALTERED),
}


@pytest.mark.parametrize(("harm", "state"), WRONGS.values(), ids=WRONGS.keys())
def test_what_is_wrong_is_named(vault: Path, verify, parties, harm, state: str, capsys) -> None:
    harm(vault, parties)
    code, found, err = verify()
    assert code == 1, err
    assert [wrong["state"] for wrong in found["wrong"]] == [state]
    assert not found["ok"]
    assert main(["vault", "verify", str(vault), "--policy", str(parties.camera_policy)]) == 1
    out, _ = capsys.readouterr()
    assert found["wrong"][0]["id"] in out
    assert "wrong: 1 of" in out


def test_each_flipped_byte_of_a_shot_is_found(vault: Path, verify) -> None:
    path = first(vault)
    data = path.read_bytes()
    missed = []
    for at in range(0, len(data), len(data) // 50):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        code, found, _ = verify()
        if code != 1 or [wrong["state"] for wrong in found["wrong"]] != [ALTERED]:
            missed.append(at)
    assert missed == []


def test_a_shot_of_another_camera_or_policy(
    vault: Path, verify, parties, classical_parties, shot, origin, tmp_path: Path
) -> None:
    with Keeper(tmp_path / "other", classical_parties.sealing()) as keeper:
        name = keeper.put(shot, origin)
    shutil.copy(tmp_path / "other" / name, vault / name)
    code, found, _ = verify()
    assert code == 1
    assert [(wrong["id"], wrong["state"]) for wrong in found["wrong"]] == [(name, FOREIGN)]
    code, found, _ = verify("--no-log")  # nobody said whose it should be
    assert (code, found["counts"]) == (0, {"present": 4})
    code, found, _ = verify("--no-log", "--policy", parties.policy)
    assert [wrong["state"] for wrong in found["wrong"]] == [FOREIGN]


def test_a_shot_that_the_camera_sealed_and_did_not_log(
    vault: Path, verify, parties, shot, origin, tmp_path: Path
) -> None:
    with Keeper(tmp_path / "other", parties.sealing()) as keeper:
        name = keeper.put(shot, origin)
    shutil.copy(tmp_path / "other" / name, vault / name)
    code, found, _ = verify()
    assert code == 1
    assert [(wrong["id"], wrong["state"]) for wrong in found["wrong"]] == [(name, UNKNOWN)]


def test_a_shot_that_is_over_its_time(vault: Path, parties) -> None:
    objects = list_objects(vault)
    policy = read_policy(parties.policy)
    for days, count in ((30, 0), (32, 3)):
        rules = Rules(
            cameras=[read_party(parties.camera_pub, "camera")],
            policy=policy,
            retention=policy.retention_time,
            now=utc_now() + timedelta(days=days),
        )
        findings = check_objects(objects, partial(read_object, vault), rules).findings.values()
        assert sum(finding.state == OVERDUE for finding in findings) == count


def test_a_log_that_was_tampered_with_or_taken_away(vault: Path, verify, parties) -> None:
    log = vault / LOG
    data, note = log.read_bytes(), checkpoint_path(log).read_bytes()
    lines = data.splitlines(keepends=True)
    for name, altered in {
        "an entry edited": data.replace(b"better shot", b"worse shot "),
        "an entry taken out": b"".join(lines[:1] + lines[2:]),
        "cut": b"".join(lines[:-1]),
    }.items():
        log.write_bytes(altered)
        code, found, err = verify()
        assert (code, found) == (1, {}), name
        assert "error: " in err
    log.write_bytes(data)
    with Keeper(vault, parties.sealing()):
        pass
    (vault / "kept").write_bytes(note)
    log.unlink()
    checkpoint_path(log).unlink()
    with Keeper(vault, parties.sealing()):  # a new log, in which all is well
        pass
    assert verify()[0] == 0
    code, _, err = verify("--policy", parties.camera_policy, "--checkpoint", vault / "kept")
    assert code == 1  # but not what a checkpoint that was kept elsewhere says
    assert "8 when its checkpoint was signed" in err or "not those that were signed" in err


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ((), "without its camera's public key"),
        (("--no-log", "--log", "log"), "--no-log does not go with"),
        (("--camera", "absent.pub"), "absent.pub"),
        (("--log", "absent"), "no log absent"),
        (("--policy", "absent.toml"), "absent.toml"),
    ],
)
def test_bad_options_are_told_in_two_lines(
    vault: Path, options: tuple[str, ...], fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vault", "verify", str(vault), *options]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert fact in error
    assert hint.startswith("hint: ")


def test_a_vault_whose_log_is_gone_needs_a_word(vault: Path, verify, parties) -> None:
    (vault / LOG).unlink()
    code, _, err = verify()
    assert code == 2
    assert "what is missing cannot be known" in err
    assert verify("--no-log", "--camera", parties.camera_pub)[0] == 0


@pytest.mark.parametrize("option", ["camera_policy", "policy", "camera_pub", "checkpoint"])
def test_a_vault_of_which_all_is_gone_is_not_all_right(
    vault: Path, verify, parties, tmp_path: Path, option: str
) -> None:
    kept = checkpoint_path(vault / LOG).rename(tmp_path / "kept")
    shutil.rmtree(vault)
    vault.mkdir()
    given = {
        "camera_policy": ("--policy", parties.camera_policy),
        "policy": ("--policy", parties.policy),
        "camera_pub": ("--camera", parties.camera_pub),
        "checkpoint": ("--checkpoint", kept),
    }[option]
    code, _, err = verify(*given)
    assert code == 2
    assert "what is missing cannot be known" in err


def test_another_cameras_pub_is_not_taken_for_the_log(
    vault: Path, verify, classical_parties
) -> None:
    code, _, err = verify("--camera", classical_parties.camera_pub)
    assert code == 1
    assert "error: " in err


def test_shots_sealed_to_recipients_are_unsigned(
    tmp_path: Path, identity, shot, origin, capsys: pytest.CaptureFixture[str]
) -> None:
    with Vault(tmp_path) as store:
        store.store(seal(shot, [identity.recipient], origin))
    assert main(["vault", "verify", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"unsigned": 1}
    assert main(["vault", "verify", str(tmp_path)]) == 0
    assert "--camera" not in capsys.readouterr().err  # no camera's key would tell more


def test_verifying_changes_nothing(vault: Path, verify) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.read_bytes())
            for path in vault.rglob("*")
            if path.is_file()
        }

    before = state()
    verify()
    main(["vault", "stats", str(vault)])
    assert state() == before


def test_stats_for_people_and_machines(
    vault: Path, parties, identity, shot, origin, capsys: pytest.CaptureFixture[str]
) -> None:
    today = first(vault).parent.name
    with Vault(vault) as store:
        plain = seal(shot, [identity.recipient], origin)
        store.store(plain, name=f"2026-01-02/{'a' * 32}.age")
    (vault / ".upload").mkdir()
    for name in (f"2026-01-02_{'a' * 32}.age", f"2026-01-02_{'b' * 32}.age"):
        (vault / ".upload" / name).touch()
    assert main(["vault", "stats", str(vault), "--json", "--quota", "1M"]) == 0
    stats = json.loads(capsys.readouterr().out)
    total = sum(found.bytes for found in list_objects(vault))
    assert (stats["shots"], stats["bytes"]) == (4, total)
    assert (stats["oldest"], stats["newest"]) == ("2026-01-02", today)
    assert (stats["pending_uploads"], stats["pending_bytes"]) == (1, len(plain))
    assert stats["quota_share"] == pytest.approx(total / 1e6)
    assert stats["groups"] == [
        {"epoch": "2026-01-02", "camera": None, "shots": 1, "bytes": len(plain)},
        {"epoch": today, "camera": "cam1", "shots": 3, "bytes": total - len(plain)},
    ]
    assert main(["vault", "stats", str(vault), "--quota", "1M"]) == 0
    out = capsys.readouterr().out
    for word in ("cam1", "(no camera)", f"4 shots, {total:,} bytes", "not uploaded", "quota"):
        assert word in out


FALSE_REASONS = {
    "a better shot that is not there": (BETTER, "has none in its place"),
    "an age before its end": ("retention", "its time is over at"),
    "an upload that was none": ("uploaded", "has no upload of it"),
    "a reason that there is none of": ("better", "a reason that there is none of: 'better'"),
}


@pytest.mark.parametrize(("reason", "fact"), FALSE_REASONS.values(), ids=FALSE_REASONS.keys())
def test_a_deletion_whose_reason_does_not_hold_is_named(
    reason: str, fact: str, tmp_path: Path, parties, shot, origin, capsys
) -> None:
    """By whoever has the camera's key: the log verifies, and says more than the thief wants."""
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        victim = keeper.put(shot, origin)
        keeper.put(shot, origin)
    camera = read_camera(parties.camera_policy)
    with Log(vault / LOG, camera.name, camera.key) as log:
        log.append(Purged(log.latest, victim, reason))
    (vault / victim).unlink()
    assert main(["vault", "verify", str(vault), "--policy", str(parties.camera_policy)]) == 1
    out = capsys.readouterr().out
    assert victim in out
    assert fact in out


@pytest.mark.parametrize("ring", [1, 2, 3])
def test_shots_that_gave_way_to_each_other_are_named(
    ring: int, tmp_path: Path, parties, shot, origin, capsys
) -> None:
    """One to itself, or all in a ring, so that nobody is left of the person."""
    vault = tmp_path / "vault"
    with Keeper(vault, parties.sealing()) as keeper:
        names = [keeper.put(shot, origin) for _ in range(ring)]
    camera = read_camera(parties.camera_policy)
    with Log(vault / LOG, camera.name, camera.key) as log:
        for name, better in zip(names, [*names[1:], names[0]], strict=True):
            log.append(Purged(log.latest, name, BETTER, successor=better))
    for name in names:
        (vault / name).unlink()
    assert main(["vault", "verify", str(vault), "--policy", str(parties.camera_policy)]) == 1
    out = capsys.readouterr().out
    assert names[-1] in out
    assert "the log has none in its place" in out
    party = read_party(parties.camera_pub, "camera")
    assert names[-1] in read_logged(vault / LOG, [party]).unexplained
