"""Keys in hardware: stock clients seal to them as we do, and a plugin opens what either sealed.

The hardware is `tagged_identity.py`, in software, which both rage (pyrage) and we start.
"""

from __future__ import annotations

import base64
import os
import runpy
import shutil
import stat
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from sealshot.runtime.age import age, bech32
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.plugin import END_S, PluginIdentity
from sealshot.runtime.age.tagged import HybridTaggedRecipient, TaggedRecipient
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.cli.main import main
from sealshot.runtime.errors import SealError
from sealshot.runtime.seal.envelope import seal
from sealshot.runtime.seal.keys import parse_identity, parse_recipient
from sealshot.runtime.seal.times import format_time, utc_now
from sealshot.runtime.vault.keeper import Keeper

HOUR, OTHERS = timedelta(hours=1), ("police", "ombudsman")
PROGRAM = Path(__file__).with_name("tagged_identity.py")
HARDWARE = SimpleNamespace(**runpy.run_path(str(PROGRAM)))
KEY = HARDWARE.Tagged(bytes(range(1, 33)))
LOCKED = HARDWARE.Tagged(bytes(32))
RECIPIENTS = [KEY.classical, KEY.hybrid]
PLAINS = [b"", b"one", os.urandom(70_000)]


class Person:
    """Holds the key; types this."""

    def __init__(self, typed: str | None = None) -> None:
        self.told: list[str] = []
        self._typed = typed

    def tell(self, text: str) -> None:
        self.told.append(text)

    def ask(self, text: str, *, secret: bool) -> str | None:
        self.told.append(f"{text}{' (secret)' * secret}")
        return self._typed


Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a plugin for `AGE-PLUGIN-TAGTEST-1...` on the path: a Python program."""
    folder = tmp_path / "plugins"

    def put(text: str) -> None:
        folder.mkdir(exist_ok=True)
        program = folder / f"age-plugin-{HARDWARE.NAME}"
        program.write_text(f"#!{sys.executable}\n{text}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    return put


@pytest.fixture
def plugin(install: Install) -> None:
    install(f"import runpy\nrunpy.run_path({str(PROGRAM)!r}, run_name='__main__')\n")


def opened(sealed: bytes, key=KEY, person: Person | None = None) -> bytes:
    return age.decrypt(sealed, [PluginIdentity(key.identity, person or Person())])


@pytest.mark.parametrize("recipient", RECIPIENTS, ids=["classical", "hybrid"])
def test_rage_seals_to_it_and_opens_ours_by_the_plugin(recipient: str, plugin) -> None:
    pyrage = pytest.importorskip("pyrage", reason="the second client, rage (pip install pyrage)")
    if not hasattr(pyrage, "tagpq"):
        pytest.skip("this pyrage knows no tagged recipients: they came with version 1.4")
    kind = pyrage.tagpq if recipient == KEY.hybrid else pyrage.tag
    theirs = kind.Recipient.from_str(recipient)
    identity = pyrage.plugin.Identity.from_str(KEY.identity)
    own = pyrage.plugin.IdentityPluginV1(HARDWARE.NAME, [identity], Callbacks())
    for plain in PLAINS:
        assert opened(pyrage.encrypt(plain, [theirs])) == plain
        assert pyrage.decrypt(age.encrypt(plain, [parse_recipient(recipient)]), [own]) == plain


class Callbacks:
    """What rage has for a person."""

    def display_message(self, message: str) -> None:
        assert message == "touch the key"

    def confirm(self, message: str, yes: str, no: str | None) -> bool | None:
        raise AssertionError

    def request_public_string(self, description: str) -> str | None:
        raise AssertionError

    def request_passphrase(self, description: str) -> str | None:
        raise AssertionError


@pytest.mark.parametrize("recipient", RECIPIENTS, ids=["classical", "hybrid"])
def test_stock_age_seals_to_it_and_opens_ours_by_the_plugin(
    recipient: str, plugin, hybrid_age, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEY.identity)
    for plain in PLAINS:
        assert opened(hybrid_age("age", "-r", recipient, stdin=plain)) == plain
        sealed = age.encrypt(plain, [parse_recipient(recipient)])
        assert hybrid_age("age", "-d", "-i", tmp_path / "key", stdin=sealed) == plain


def test_npm_seals_to_it_as_we_do(npm_peer, plugin) -> None:
    answers = npm_peer(*({"op": "encrypt", "recipients": [r], "data": b"x"} for r in RECIPIENTS))
    for answer, recipient in zip(answers, RECIPIENTS, strict=True):
        theirs = base64.b64decode(answer)
        assert opened(theirs) == b"x"
        assert len(theirs) == len(age.encrypt(b"x", [parse_recipient(recipient)]))


def test_text_forms() -> None:
    for text, kind in zip(RECIPIENTS, (TaggedRecipient, HybridTaggedRecipient), strict=True):
        recipient = parse_recipient(text)
        assert isinstance(recipient, kind)
        assert str(recipient) == text


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: TaggedRecipient(bytes(32)), "not a key of 33 bytes"),
        (lambda: TaggedRecipient(b"\x05" + bytes(32)), "no valid key"),
        (lambda: HybridTaggedRecipient(bytes(1216)), "not a key of 1249 bytes"),
        (lambda: HybridTaggedRecipient(b"\xff" * 1184 + bytes(65)), "no valid key"),
        (lambda: HybridTaggedRecipient(bytes(1184) + b"\x04" + b"\x01" * 64), "no valid key"),
    ],
)
def test_what_is_no_key_is_refused(make, fact: str) -> None:
    with pytest.raises(SealError, match=fact):
        make()


def test_post_quantum_and_others_are_not_mixed() -> None:
    classical, hybrid = map(parse_recipient, RECIPIENTS)
    age.encrypt(b"", [classical, X25519Identity.generate().recipient])
    age.encrypt(b"", [hybrid, HybridIdentity.generate().recipient])
    others = [X25519Identity.generate().recipient, classical]
    for weaker in others:
        with pytest.raises(SealError, match="cannot share a file"):
            age.encrypt(b"", [hybrid, weaker])
    with pytest.raises(SealError, match="cannot share a file"):
        age.encrypt(b"", [HybridIdentity.generate().recipient, classical])


def test_one_of_several_opens_and_others_are_left_alone(plugin) -> None:
    other = HARDWARE.Tagged(bytes(range(2, 34)))
    sealed = age.encrypt(b"x", [parse_recipient(r) for r in (other.hybrid, KEY.hybrid)])
    assert opened(sealed) == opened(sealed, other) == b"x"
    person = Person()
    with pytest.raises(SealError, match="not sealed to the identity"):
        opened(sealed, HARDWARE.Tagged(bytes(range(3, 35))), person)
    classical = age.encrypt(b"x", [X25519Identity.generate().recipient])
    with pytest.raises(SealError, match="not sealed to the identity"):
        opened(classical, KEY, person)


def test_a_pin_is_asked_for(plugin) -> None:
    sealed, right = age.encrypt(b"x", [parse_recipient(LOCKED.hybrid)]), Person("1234")
    assert opened(sealed, LOCKED, right) == b"x"
    assert right.told == ["the PIN (secret)", "touch the key"]
    for wrong in ("0000", None):
        with pytest.raises(SealError, match="age-plugin-tagtest: the PIN is wrong"):
            opened(sealed, LOCKED, Person(wrong))


ANSWERED = "import sys\nsys.stdin.readline()\nprint({!r}, end='', flush=True)\nsys.stdin.read()"


FAILING = {
    "ends": ("raise SystemExit(1)", "ended before it was done"),
    "no stanza": (ANSWERED.format("hello\n\n"), "does not speak"),
    "no file key": (ANSWERED.format("-> file-key 0\nAAAA\n-> done\n\n"), "does not speak"),
    "long": (ANSWERED.format("-> x\n" + ("A" * 64 + "\n") * 2000), "does not speak"),
    "no base64": (ANSWERED.format("-> confirm\n\n-> confirm =\n\n"), "does not speak"),
    "error": (ANSWERED.format("-> error internal\nbm8\n-> done\n\n"), "age-plugin-tagtest: no"),
    "error of two lines": (
        ANSWERED.format("-> error internal\nbm8KaGludDogeWVz\n-> done\n\n"),
        "age-plugin-tagtest: no hint: yes",
    ),
}


@pytest.mark.parametrize(("program", "fact"), FAILING.values(), ids=FAILING.keys())
def test_a_plugin_that_fails_is_told_in_one_sentence(
    program: str, fact: str, install: Install
) -> None:
    install(program)
    with pytest.raises(SealError, match=fact):
        opened(age.encrypt(b"x", [parse_recipient(KEY.hybrid)]))


def test_one_that_never_ends_what_it_says_is_not_heard_to_the_end(install: Install) -> None:
    install("while True: print('A' * 64)")
    began = time.monotonic()
    with pytest.raises(SealError, match="does not speak"):
        opened(age.encrypt(b"x", [parse_recipient(KEY.hybrid)]))
    assert time.monotonic() - began < END_S


def test_no_plugin_is_told_and_none_beside_is_taken(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path / "plugins")
    for path in ("", ".", ":."):
        monkeypatch.setenv("PATH", path)
        with pytest.raises(SealError, match="which is not on the PATH"):
            opened(age.encrypt(b"x", [parse_recipient(KEY.hybrid)]))


@pytest.mark.parametrize("name", ["", "a/b-", "a"])
def test_what_names_no_plugin_is_refused(name: str) -> None:
    with pytest.raises(SealError, match="of no plugin"):
        PluginIdentity(bech32.encode(f"age-plugin-{name}", b"").upper(), Person())
    with pytest.raises(SealError, match="malformed"):
        PluginIdentity(KEY.identity[:-1], Person())


def test_where_a_key_in_a_file_is_needed_it_is_told() -> None:
    with pytest.raises(SealError, match="in hardware"):
        parse_identity(KEY.identity)


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def answered(parties, vault: Path, folder: Path, investigator: str, judge: Path) -> list[object]:
    """Have judge, police and custodian answer; return what `open` takes."""
    now, policy, warrant = utc_now(), ["--policy", parties.policy], folder / "w.json"
    new = ["warrant", "new", "--case", "7", "--camera", parties.camera_pub, *policy, "-o", warrant]
    hours = ["--from", format_time(now - HOUR), "--to", format_time(now + HOUR)]
    assert run(*new, *hours, "--investigator", investigator) == 0
    keys = {"judge": judge, "police": parties.key("police")}
    for key in keys.values():
        assert run("warrant", "sign", warrant, *policy, "--key", key) == 0
    under, request = ["--warrant", warrant, *policy], folder / "request.zip"
    assert run("open", vault, *under, "--request", request) == 0
    given: list[object] = []
    holders = {name: ["authority", "--key", key] for name, key in keys.items()}
    holders["custodian"] = ["custodian", "--keys", parties.custodian]
    for name, (role, *key) in holders.items():
        assert run(role, "answer", request, *under, *key, "-o", folder / f"{name}.answer") == 0
        given += ["--answer", folder / f"{name}.answer"]
    return ["open", vault, *under, *given]


def test_shots_and_answers_sealed_to_hardware_open_by_its_plugin(
    plugin, parties, shot, origin, tmp_path: Path, capsys
) -> None:
    """An investigator, too, has a key in hardware: the warrant names it, answers go to it."""
    identity, vault = tmp_path / "identity.txt", tmp_path / "vault"
    identity.write_text(f"# Recipient: {KEY.hybrid}\n{KEY.identity}\n")
    (tmp_path / "alone.age").write_bytes(seal(shot, [parse_recipient(KEY.hybrid)], origin))
    with Keeper(vault, parties.sealing()) as keeper:
        keeper.put(replace(shot, utc=format_time(utc_now())), origin)
    opening = answered(parties, vault, tmp_path, KEY.hybrid, parties.key("judge"))
    capsys.readouterr()
    assert run(*opening, "--identity", identity, "-o", tmp_path / "out") == 0
    assert capsys.readouterr().err.count("touch the key") == 3
    assert run("open", tmp_path / "alone.age", "--identity", identity, "-o", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 2


def test_an_authority_answers_by_hardware(
    plugin, fresh_parties, shot, origin, tmp_path: Path, capsys
) -> None:
    parties, vault, identity = fresh_parties, tmp_path / "vault", tmp_path / "identity.txt"
    identity.write_text(KEY.identity)
    judge, epochs = tmp_path / "judge.key", tmp_path / "epochs"
    new = ["authority", "new", judge, "--hardware", identity, "--recipient"]
    assert run(*new, HARDWARE.Tagged(bytes(range(3, 35))).hybrid) == 2  # another key's
    assert "not sealed to the identity" in capsys.readouterr().err
    assert not judge.exists()
    assert run(*new, KEY.hybrid) == 0
    assert stat.S_IMODE(judge.stat().st_mode) == 0o600

    public = [judge.with_suffix(".pub"), *(parties.key(n).with_suffix(".pub") for n in OTHERS)]
    rules = ["--quorum", 2, "--retention", "30d", "--epoch-keys", epochs, "-o", parties.policy]
    for other in (parties.custodian, parties.camera_policy.parent):  # they went by another policy
        shutil.rmtree(other)
    parties.policy.unlink()
    assert run("custodian", "new", parties.custodian) == 0
    custodian = ["--custodian", parties.custodian / "custodian.pub"]
    assert run("policy", "new", *public, *rules, *custodian) == 0
    rotate = ["custodian", "rotate", parties.custodian, "--policy", parties.policy]
    assert run(*rotate, "--to", epochs) == 0
    assert run("camera", "enrol", parties.camera_policy.parent, "--policy", parties.policy) == 0
    with Keeper(vault, parties.sealing()) as keeper:
        keeper.put(replace(shot, utc=format_time(utc_now())), origin)
    capsys.readouterr()
    me = parties.investigator.read_text().partition("public key: ")[2].split()[0]
    opening = answered(parties, vault, tmp_path, me, judge)
    assert capsys.readouterr().err.count("touch the key") == 1
    assert run(*opening, "--identity", parties.investigator, "-o", tmp_path / "out") == 0
    assert list((tmp_path / "out").glob("*.jpg"))


def test_what_makes_an_authority_in_hardware_goes_together(tmp_path: Path, capsys) -> None:
    (tmp_path / "me.key").write_text(X25519Identity.generate().secret_text())
    both = ["--hardware", tmp_path / "me.key", "--recipient", KEY.hybrid]
    for options in (both[:2], both[2:], [*both, "--classical"], both):
        assert run("authority", "new", tmp_path / "judge.key", *options) == 2
    told = capsys.readouterr().err
    assert told.count("--hardware and --recipient go together") == 3
    assert "does not hold one key in hardware" in told
    assert not (tmp_path / "judge.key").exists()
