"""Keys that change hands, from the command line: a new quorum opens what the old one sealed."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from sealshot.runtime.cli.commands import policy as policy_command
from sealshot.runtime.cli.commands.answering import go_by
from sealshot.runtime.cli.commands.camera import read_camera, read_keys
from sealshot.runtime.cli.commands.parties import single_identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.entries import ErasurePlaced, Purged
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.succession import changes_folder, read_policy
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import read_warrant
from sealshot.runtime.vault.erasures import FOLDER, SUFFIX, drop_late, read_erasures
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.record import ERASED, LOG, Record
from sealshot.runtime.vault.store import Vault


@dataclass(frozen=True)
class World:
    """A vault with a shot of before, and one of after, the police lost its key to a thief."""

    parties: object
    vault: Path
    before: str
    after: str

    @property
    def policy(self) -> list[str]:
        return ["--policy", str(self.parties.policy)]

    def run(self, *arguments: object) -> int:
        return main([str(argument) for argument in arguments])

    def key(self, name: str) -> Path:
        return self.parties.key(name)

    def warrant(self, out: Path, *signers: str, policy: list[str] | None = None) -> Path:
        recipient = next(
            word for word in self.parties.investigator.read_text().split() if "age1pq" in word
        )
        new = ["warrant", "new", "--case", "7", "--camera", self.parties.camera_pub, "--from"]
        new += ["2020-01-01", "--to", "2999-01-01", "--investigator", recipient, "-o", out]
        policy = policy or self.policy
        assert self.run(*new, *policy) == 0
        for name in signers:
            assert self.run("warrant", "sign", out, *policy, "--key", self.key(name)) == 0
        return out

    def answers(self, folder: Path, warrant: Path, *names: str) -> list[object]:
        """Ask for all, let these answer, and return the options of the last step."""
        opening = ["open", self.vault, "--warrant", warrant, *self.policy]
        assert self.run(*opening, "--request", folder / "r.zip") == 0
        options: list[object] = []
        for name in names:
            out = folder / f"{name}.answer"
            mine = ["--keys", self.parties.custodian] if name == "custodian" else []
            mine = mine or ["--key", self.key(name)]
            role = "custodian" if name == "custodian" else "authority"
            to = [role, "answer", folder / "r.zip", "--warrant", warrant, *self.policy, *mine]
            assert self.run(*to, "-o", out) in (0, 2)
            options += ["--answer", out]
        return [*opening, "--identity", self.parties.investigator, *options]


def seal(world_parties, vault: Path, shot, origin) -> str:
    camera = read_camera(world_parties.camera_policy)
    sealing = Sealing(camera=camera, epoch_keys=read_keys(world_parties.camera_policy))
    with Keeper(vault, sealing) as keeper:
        return keeper.put(shot, origin)


def change_policy(parties, *sign: str) -> Path:
    """The police goes, the court comes; signed by these, and not adopted."""
    court, shared = parties.key("court"), parties.policy.parent
    court.parent.mkdir()
    assert main(["authority", "new", str(court)]) == 0
    names = ("judge", "ombudsman", "court")
    public = [str(parties.key(name).with_suffix(".pub")) for name in names]
    options = ["--quorum", "2", "--retention", "30d", "--epoch-keys", "epochs", "--custodian"]
    options += [str(parties.custodian / "custodian.pub"), "-o", str(shared / "next.toml")]
    assert main(["policy", "new", *public, *options]) == 0
    policy, change = ["--policy", str(parties.policy)], shared / "change.json"
    assert main(["policy", "change", str(shared / "next.toml"), *policy, "-o", str(change)]) == 0
    for name in sign:
        key = str(parties.key(name))
        assert main(["policy", "sign", str(change), *policy, "--key", key]) == 0
    return change


@pytest.fixture
def world(copied_parties, tmp_path: Path, shot, origin) -> World:
    vault = tmp_path / "vault"
    before = seal(copied_parties, vault, shot, origin)
    change = change_policy(copied_parties, "judge", "ombudsman", "court")
    for policy in (copied_parties.policy, copied_parties.camera_policy):
        assert main(["policy", "adopt", str(change), "--policy", str(policy)]) == 0
    return World(copied_parties, vault, before, seal(copied_parties, vault, shot, origin))


def test_the_quorum_of_today_opens_what_was_sealed_before_and_after(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warrant = world.warrant(tmp_path / "w.json", "judge", "court")
    last = world.answers(tmp_path, warrant, "judge", "ombudsman", "custodian")
    capsys.readouterr()
    assert world.run(*last, "-o", tmp_path / "out", "--json") == 0
    opened = json.loads(capsys.readouterr().out)["opened"]
    assert {Path(one["object"]).name for one in opened} == {
        Path(one).name for one in (world.before, world.after)
    }
    verify = ["vault", "verify", world.vault, "--policy", world.parties.camera_policy]
    assert world.run(*verify) == 0


def test_evidence_of_what_was_sealed_before_proves_itself(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warrant = world.warrant(tmp_path / "w.json", "judge", "court")
    opening = world.answers(tmp_path, warrant, "judge", "ombudsman", "custodian")
    case = tmp_path / "case.zip"
    assert world.run("evidence", "export", *opening[1:], "-o", case) == 0
    camera = ["--camera", world.parties.camera_pub]
    assert world.run("evidence", "verify", case, *camera, *world.policy) == 0
    capsys.readouterr()
    old = old_policy(world, tmp_path)
    assert world.run("evidence", "verify", case, *camera, *old) == 2
    assert "policy.toml: it is another policy than the one given" in capsys.readouterr().err
    members = read_zip(case.read_bytes(), limit=100)
    weaker = members["policy.d/2.json"].replace(b'"quorum": 2', b'"quorum": 1')
    for altered in (weaker, b"garbage"):
        case.write_bytes(write_zip(members | {"policy.d/2.json": altered}))
        assert world.run("evidence", "verify", case) == 2
        assert "policy.d/2.json: " in capsys.readouterr().err


def test_a_newcomer_has_no_share_of_what_was_sealed_before(world: World, tmp_path: Path) -> None:
    warrant = world.warrant(tmp_path / "w.json", "judge", "court")
    last = world.answers(tmp_path, warrant, "judge", "court", "custodian")
    assert world.run(*last, "-o", tmp_path / "out") == 2
    assert [file.stem for file in (tmp_path / "out").glob("*.jpg")] == [Path(world.after).stem]


def test_a_key_that_was_revoked_signs_nothing(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warrant = world.warrant(tmp_path / "w.json", "judge")
    police = ["--key", world.key("police")]
    assert world.run("warrant", "sign", warrant, *world.policy, *police) == 2
    assert "is none of version 2, and signs nothing any more" in capsys.readouterr().err


def old_policy(world: World, tmp_path: Path) -> list[str]:
    """The policy as the thief has it, without the version that took the key away."""
    old = tmp_path / "old.toml"
    shutil.copy(world.parties.policy, old)
    return ["--policy", str(old)]


def test_a_warrant_of_the_old_quorum_gets_no_answer(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = old_policy(world, tmp_path)
    warrant = world.warrant(tmp_path / "w.json", "judge", "police", policy=policy)
    request = tmp_path / "r.zip"
    assert world.run("open", world.vault, "--warrant", warrant, *policy, "--request", request) == 0
    asked = [request, "--warrant", warrant, *world.policy, "-o", tmp_path / "answer"]
    for party in (
        ("authority", "answer", *asked, "--key", world.key("judge")),
        ("custodian", "answer", *asked, "--keys", world.parties.custodian),
    ):
        capsys.readouterr()
        assert world.run(*party) == 2
        told = capsys.readouterr().err
        assert "signed under version 1 of the policy, and version 2 is in force" in told
    assert not (tmp_path / "answer").exists()


def order_of_the_old_quorum(world: World, folder: Path) -> Path:
    """An order to erase both shots, signed by the judge and by whoever has the police's key."""
    order, old = folder / "erase.json", old_policy(world, folder)
    new = ["warrant", "new", "--purpose", "erase", "--case", "7", *old, "-o", order, "--from"]
    new += ["2020-01-01", "--to", "2999-01-01", "--camera", world.parties.camera_pub]
    assert world.run(*new, "--shot", world.before, "--shot", world.after) == 0
    for name in ("judge", "police"):
        assert world.run("warrant", "sign", order, *old, "--key", world.key(name)) == 0
    return order


def lay(order: Path, vault: Path) -> str:
    """Lay an order beside the shots by hand; return its digest."""
    digest = read_warrant(order).digest
    (vault / FOLDER).mkdir(exist_ok=True)
    shutil.copy(order, vault / FOLDER / f"{digest}{SUFFIX}")
    return digest


def test_an_order_of_a_former_quorum_that_comes_after_it_was_replaced_erases_nothing(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], reports: list[str]
) -> None:
    order = order_of_the_old_quorum(world, tmp_path)
    camera = ["--policy", world.parties.camera_policy]
    assert world.run("vault", "erase", world.vault, "--warrant", order, *camera) == 2
    assert "signed under version 1 of the policy" in capsys.readouterr().err
    digest = lay(order, world.vault)
    Keeper(world.vault, Sealing(camera=read_camera(world.parties.camera_policy))).close()
    assert (world.vault / world.before).exists()
    assert (world.vault / world.after).exists()
    told = f"{FOLDER}/{digest}{SUFFIX}: it came after its signers were replaced: version 2 rules"
    assert any(told in text for text in reports)


def test_an_order_that_came_in_the_time_of_its_quorum_lasts(
    copied_parties, tmp_path: Path, shot, origin
) -> None:
    """The log has when it came, also after the policy changed hands."""
    vault = tmp_path / "vault"
    world = World(copied_parties, vault, seal(copied_parties, vault, shot, origin), "0" * 32)
    order = order_of_the_old_quorum(world, tmp_path)
    digest = lay(order, vault)
    Keeper(vault, Sealing(camera=read_camera(copied_parties.camera_policy))).close()
    assert not (vault / world.before).exists()
    change = change_policy(copied_parties, "judge", "ombudsman", "court")
    adopt = ["policy", "adopt", str(change), "--policy"]
    assert main([*adopt, str(copied_parties.camera_policy)]) == 0
    camera = read_camera(copied_parties.camera_policy)
    assert camera.policy.version == 2
    seal(copied_parties, vault, shot, origin)
    with Log(vault / LOG, camera.name, camera.key) as log:
        placed = [entry for entry in log.entries() if isinstance(entry, ErasurePlaced)]
        assert [entry.warrant for entry in placed] == [digest]
        orders, wrong = read_erasures(vault, camera.policy)
        record = Record(Vault(vault), log, camera.key.verify_key)
        assert (
            drop_late(orders, camera.policy, record.seen_orders) == (orders, wrong) == (orders, {})
        )
    verify = ["vault", "verify", str(vault), "--policy", str(copied_parties.camera_policy)]
    assert main(verify) == 0


@pytest.mark.parametrize("sealed_under", [1, 2])
def test_a_thief_of_the_camera_s_key_cannot_hide_behind_an_order_of_a_former_quorum(
    sealed_under: int, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = lay(order_of_the_old_quorum(world, tmp_path), world.vault)
    camera = read_camera(world.parties.camera_policy)
    gone = world.before if sealed_under == 1 else world.after
    with Log(world.vault / LOG, camera.name, camera.key) as log:
        log.append(Purged(log.latest, gone, ERASED, warrant=digest))
    (world.vault / gone).unlink()
    capsys.readouterr()
    verify = ["vault", "verify", world.vault, "--policy", world.parties.camera_policy]
    assert world.run(*verify) == 1
    what = "the order came" if sealed_under == 1 else "it was sealed"
    assert f"and {what} under version 2" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("party", ["judge", "custodian"])
def test_a_party_of_version_1_takes_no_other_policy_in_its_place(
    party: str, copied_parties, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One with another quorum, of the same keys."""
    text = copied_parties.policy.read_text()
    other = tmp_path / "other.toml"
    other.write_text(text.replace("quorum = 2", "quorum = 1"))
    assert other.read_text() != text
    rotate = ["custodian", "destroy", str(copied_parties.custodian), "--policy"]
    assert main([*rotate, str(copied_parties.policy)]) == 0
    capsys.readouterr()
    if party == "custodian":
        assert main([*rotate, str(other)]) == 2
        assert "version 1 of the policy is another one than the log has" in capsys.readouterr().err
        return
    log = tmp_path / "judge.log"
    identity = single_identity(copied_parties.key("judge"))
    key = SigningKey.of_authority(identity)
    with Log(log, "judge", key) as kept:
        go_by(read_policy(copied_parties.policy), kept, utc_now())
        go_by(read_policy(copied_parties.policy), kept, utc_now())
        assert len(list(kept.entries())) == 1
        with pytest.raises(SealError, match="version 1 of the policy is another one"):
            go_by(read_policy(other), kept, utc_now())


def test_a_party_that_went_by_the_new_one_does_not_go_back(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warrant = world.warrant(tmp_path / "w.json", "judge", "court")
    world.answers(tmp_path, warrant, "custodian")
    policy = old_policy(world, tmp_path)
    stale = world.warrant(tmp_path / "stale.json", "judge", "police", policy=policy)
    asked = [tmp_path / "r.zip", "--warrant", stale, *policy, "-o", tmp_path / "answer"]
    capsys.readouterr()
    assert world.run("custodian", "answer", *asked, "--keys", world.parties.custodian) == 2
    assert "the log has version 2: it was set back" in capsys.readouterr().err
    assert not (tmp_path / "answer").exists()


def test_who_left_still_opens_its_shares_of_before_under_a_warrant_of_today(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warrant = world.warrant(tmp_path / "w.json", "judge", "court")
    last = world.answers(tmp_path, warrant, "judge", "police", "custodian")
    assert "police is no party of version 2 of the policy any more" in capsys.readouterr().err
    assert world.run(*last, "-o", tmp_path / "out") == 2  # of after, the police has no share
    assert [file.stem for file in (tmp_path / "out").glob("*.jpg")] == [Path(world.before).stem]


def test_a_change_is_adopted_once_both_quorums_have_signed(
    copied_parties, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = ["--policy", str(copied_parties.policy)]
    change = change_policy(copied_parties, "judge")
    for signer in ("police", "court"):
        assert main(["policy", "adopt", str(change), *policy]) == 2
        assert "signed by 1 of the 2 authorities of" in capsys.readouterr().err
        assert not changes_folder(copied_parties.policy).exists()
        key = str(copied_parties.key(signer))
        assert main(["policy", "sign", str(change), *policy, "--key", key]) == 0
    assert main(["policy", "adopt", str(change), *policy]) == 0
    capsys.readouterr()
    assert main(["policy", "history", str(copied_parties.policy), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["version"], first["signed"]) == (1, [])
    assert second["authorities"] == ["judge", "ombudsman", "court"]
    assert second["signed"] == ["court", "judge", "police"]
    assert main(["policy", "adopt", str(change), *policy]) == 2
    assert "it is version 2 of the policy, and version 3 is what follows" in capsys.readouterr().err
    copy = copied_parties.policy.parent / "copy.toml"
    assert main(["policy", "show", str(copied_parties.policy), "-o", str(copy)]) == 0
    assert read_policy(copy) == read_policy(copied_parties.policy)
    capsys.readouterr()
    assert main(["policy", "change", str(copy), *policy, "-o", str(copy) + ".json"]) == 2
    assert "it rules what version 2 does" in capsys.readouterr().err


def test_a_change_of_a_time_to_come_is_neither_signed_nor_adopted(
    copied_parties, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No other version could follow it until then."""
    later = utc_now() + timedelta(days=1)
    with monkeypatch.context() as clock:
        clock.setattr(policy_command, "utc_now", lambda: later)
        change = change_policy(copied_parties, "judge", "ombudsman", "court")
    policy, before = ["--policy", str(copied_parties.policy)], change.read_bytes()
    sign = ["sign", str(change), *policy, "--key", str(copied_parties.key("police"))]
    for action in (sign, ["adopt", str(change), *policy]):
        assert main(["policy", *action]) == 2
        assert "which is to come" in capsys.readouterr().err
    assert change.read_bytes() == before
    assert not changes_folder(copied_parties.policy).exists()


def test_a_change_that_cannot_follow_leaves_no_file(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    first = shutil.copy(world.parties.policy, tmp_path / "first.toml")
    out, yesterday = tmp_path / "change.json", utc_now() - timedelta(days=1)
    monkeypatch.setattr(policy_command, "utc_now", lambda: yesterday)
    assert world.run("policy", "change", first, *world.policy, "-o", out) == 2
    assert "before the version that it follows" in capsys.readouterr().err
    assert not out.exists()


def test_a_camera_is_enrolled_with_all_versions(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "cam2"
    assert world.run("camera", "enrol", folder, *world.policy) == 0
    assert read_camera(folder / "policy.toml").policy.version == 2
