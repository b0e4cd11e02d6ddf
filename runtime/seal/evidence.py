"""Evidence: opened shots, and all that shows what they are, in one file that can be checked alone.

    evidence.json            who wrote it, and when
    policy.toml              whose quorum opens
    policy.d/2.json          the versions after it, up to that of the warrant
    warrant.json             what was ordered, signed
    answers/1-judge.json     what each party gave, signed; of these shots only
    shots/ID.sealed          the shot as the camera sealed it
    shots/ID.tlog-proof      that the camera's log has it
    shots/ID.jpg, .json ...  what was in it
    shots/ID.c2pa            a C2PA manifest of the picture, where one was asked for
    index.html               all of that in words, to read and to print
    SHA256SUMS               the hash of each

No secret key is needed to check it, and no other part of a log: the camera's key is in the warrant
that the authorities signed, and the parties' keys are in the policy that each shot names.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sealshot import __version__
from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.seal import c2pa
from sealshot.runtime.seal.archive import read_zip, write_zip
from sealshot.runtime.seal.c2pa import Manifest
from sealshot.runtime.seal.ceremony import Answer, open_with_answers, parse_answer
from sealshot.runtime.seal.checkpoint import LogError
from sealshot.runtime.seal.container import Container, read_container
from sealshot.runtime.seal.custody import Account, Exhibit, write_page
from sealshot.runtime.seal.documents import canonical
from sealshot.runtime.seal.entries import Sealed
from sealshot.runtime.seal.fields import Check, is_text, parse_object, problem
from sealshot.runtime.seal.payload import CLIP_NAME, Opened
from sealshot.runtime.seal.policy import Policy, parse_policy
from sealshot.runtime.seal.proof import parse_proof
from sealshot.runtime.seal.rewrap import Rewrap, parse_rewrap
from sealshot.runtime.seal.signing import parse_verify_key
from sealshot.runtime.seal.succession import follow, parse_change, version_name
from sealshot.runtime.seal.times import CLOCK_TOLERANCE, format_time, is_time, parse_time
from sealshot.runtime.seal.versions import refuse_newer
from sealshot.runtime.seal.warrant import (
    Warrant,
    check_signed,
    parse_warrant,
    signers,
)

FORMAT = 1
EVIDENCE, POLICY, WARRANT, PAGE, SUMS = (
    "evidence.json",
    "policy.toml",
    "warrant.json",
    "index.html",
    "SHA256SUMS",
)
ANSWERS, REWRAPS, SHOTS = "answers/", "rewraps/", "shots/"
SEALED, PROOF, C2PA = ".sealed", ".tlog-proof", ".c2pa"
THE_ZIP = "the ZIP"
MEMBERS_LIMIT = 65_535
EVIDENCE_LIMIT = 1024  # bytes of evidence.json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A part of a file of evidence that is not what it should be."""

    member: str
    what: str
    hint: str = ""


@dataclass(slots=True)
class Checked:
    """What was found in a file of evidence."""

    account: Account | None = None
    """None where policy, warrant or the file itself cannot be read."""
    wrong: list[Wrong] = field(default_factory=list)
    """Empty: it is all that it says."""
    page_checked: bool = False
    """Whether its page says what the evidence says: told of one of this version alone."""
    manifests: dict[str, Manifest | None] = field(default_factory=dict)
    """By name; None where c2pa-python is not there to check it."""

    @contextmanager
    def naming(self, member: str) -> Iterator[None]:
        """Take down what is raised inside, under the name of a part."""
        try:
            yield
        except SealshotError as error:
            self.add(member, error.fact, error.hint)

    def add(self, member: str, what: str, hint: str = "") -> None:
        """Take down what is wrong with a part; the first finding of it stands."""
        if all(wrong.member != member for wrong in self.wrong):
            self.wrong.append(Wrong(member, what, hint))


def write_evidence(
    policy: Policy,
    warrant: bytes,
    answers: Sequence[tuple[str, bytes]],
    shots: Mapping[str, tuple[bytes, bytes]],
    now: datetime,
    manifest: Callable[[Exhibit], bytes] | None = None,
    rewraps: Sequence[tuple[str, bytes]] = (),
) -> tuple[bytes, Account]:
    """Return a file of evidence, and what it says.

    Args:
        policy: that the warrant names.
        warrant: its file.
        answers: name of each party that answered, and the document, out of its seal.
        shots: id of each shot, its container and the proof that the log has it.
        now: when it is written.
        manifest: returns the C2PA manifest of a picture; None writes none.
        rewraps: name of each authority that rewrapped, and the document.

    Raises:
        SealError: a part is not what it should be: what cannot be verified is not written.
    """
    about = {"format": FORMAT, "sealshot": __version__, "exported": format_time(now)}
    *later, root = policy.versions
    members = {EVIDENCE: canonical(about), POLICY: root.encode().encode()}
    for version in reversed(later):
        assert version.change is not None
        members[version_name(version.version)] = version.change.encode()
    members[WARRANT] = warrant
    for number, (party, document) in enumerate(answers, 1):
        members[f"{ANSWERS}{number}-{party}.json"] = document
    for number, (party, document) in enumerate(rewraps, 1):
        members[f"{REWRAPS}{number}-{party}.json"] = document
    for shot, (sealed, proof) in shots.items():
        members[f"{SHOTS}{shot}{SEALED}"] = sealed
        members[f"{SHOTS}{shot}{PROOF}"] = proof
    checked = Checked()
    opened = _examine(members, checked)
    if checked.wrong or checked.account is None:
        first = checked.wrong[0]
        raise SealError(f"{first.member}: {first.what}", hint=first.hint or "nothing was written")
    for shot in shots:
        members |= _plain(shot, opened[shot])
    if manifest is not None:
        for exhibit in checked.account.exhibits:
            members[f"{SHOTS}{exhibit.header.id}{C2PA}"] = manifest(exhibit)
    members[PAGE] = write_page(checked.account).encode()
    members[SUMS] = _sums(members)
    try:
        return write_zip(members), checked.account
    except ValueError as error:
        raise SealError(f"the evidence is too large: {error}", hint="name fewer shots") from None


def check_evidence(data: bytes) -> Checked:
    """Check a file of evidence: each part, and how they belong together."""
    checked = Checked()
    try:
        members = read_zip(data, limit=MEMBERS_LIMIT)
    except ValueError as error:
        checked.add(_damaged(data), str(error), "it is not what was exported: have it sent again")
        return checked
    _check_sums(members, checked)
    if write_zip(members) != data:
        checked.add(THE_ZIP, "there are other bytes around its parts")
    opened = _examine(members, checked)
    plain = {name: part for shot in opened for name, part in _plain(shot, opened[shot]).items()}
    for name, part in plain.items():
        if members.get(name) != part:
            checked.add(name, "it is not what was in the sealed shot")
    if checked.wrong or checked.account is None:
        return checked
    _check_manifests(members, checked.account, checked)
    checked.page_checked = checked.account.sealshot == __version__
    if checked.page_checked and members.get(PAGE) != write_page(checked.account).encode():
        checked.add(PAGE, "it says something else than the evidence")
    known = {EVIDENCE, POLICY, WARRANT, PAGE, SUMS, *plain, *_evidence_of(opened)}
    known |= {version_name(one.version) for one in checked.account.policy.versions[:-1]}
    known |= checked.manifests.keys()
    for name in members:
        if name not in known and not name.startswith((ANSWERS, REWRAPS)):
            checked.add(name, "it does not belong here")
    return checked


def _check_manifests(members: Mapping[str, bytes], account: Account, checked: Checked) -> None:
    for exhibit in account.exhibits:
        name = f"{SHOTS}{exhibit.header.id}{C2PA}"
        if name in members:
            checked.manifests[name] = None
            with checked.naming(name):
                if c2pa.is_installed():
                    checked.manifests[name] = c2pa.check_manifest(members[name], exhibit)


def _examine(members: Mapping[str, bytes], checked: Checked) -> dict[str, Opened]:
    """Verify what was signed; return what was in each shot that is all right."""
    about = _part(members, checked, EVIDENCE, _read_about)
    policy = _part(members, checked, POLICY, partial(_read_policy, members, checked))
    warrant = _part(members, checked, WARRANT, parse_warrant)
    if about is None or policy is None or warrant is None:
        return {}
    shots = [
        name.removeprefix(SHOTS).removesuffix(SEALED)
        for name in members
        if name.startswith(SHOTS) and name.endswith(SEALED)
    ]
    if not shots:
        checked.add(THE_ZIP, "there is no shot in it")
    answers: list[Answer] = []
    for name, data in members.items():
        if name.startswith(ANSWERS):
            with checked.naming(name):
                answers.append(_read_answer(data, warrant, policy, shots))
    rewraps: list[Rewrap] = []
    for name, data in members.items():
        if name.startswith(REWRAPS):
            with checked.naming(name):
                rewraps.append(parse_rewrap(data, policy))
    opened: dict[str, Opened] = {}
    exhibits: list[Exhibit] = []
    for shot in shots:
        sealed, proof = _evidence_of([shot])
        with checked.naming(sealed):
            container = read_container(members[sealed])
            if container.header.id != shot:
                raise SealError(f"it is the shot {container.header.id}")
            found = open_with_answers(container, warrant, policy, answers, rewraps)
            digest = hashlib.sha256(members[sealed]).hexdigest()
            with checked.naming(proof):
                exhibits.append(_exhibit(container, digest, found, members.get(proof, b"")))
                opened[shot] = found
    with checked.naming(WARRANT):
        check_signed(warrant, policy, "open")
        checked.account = Account(
            exported=parse_time(about["exported"]),
            sealshot=about["sealshot"],
            policy=policy,
            warrant=warrant,
            signed=tuple(signers(warrant, policy)),
            answers=tuple((a.party.name, a.party.role, a.time) for a in answers),
            rewraps=tuple((r.authority.name, r.policy.version, r.time) for r in rewraps),
            exhibits=tuple(exhibits),
        )
    return opened


def _evidence_of(shots: Iterable[str]) -> list[str]:
    return [f"{SHOTS}{shot}{suffix}" for shot in shots for suffix in (SEALED, PROOF)]


def _exhibit(container: Container, digest: str, opened: Opened, data: bytes) -> Exhibit:
    """Check that the camera's log has a shot, and return what is to be told of it.

    Raises:
        SealshotError: it does not.
    """
    header, proof = container.header, parse_proof(data)
    checkpoint, entry = proof.verify(parse_verify_key(header.camera_key))
    place = f"{header.epoch}/{header.id}{SEALED}"
    if checkpoint.name != header.camera or not isinstance(entry, Sealed) or entry.id != place:
        raise LogError("it is the proof of something else", "have it written anew")
    if entry.sha256 not in ("", digest):
        raise LogError(
            "the log has other bytes under the name of the shot", "ask the keeper of the camera"
        )
    return Exhibit(
        header=header,
        sha256=digest,
        signed_on=container.signed_on,
        opened=opened,
        entry=proof.index + 1,
        entry_time=entry.time,
        has_hash=bool(entry.sha256),
        checkpoint=checkpoint,
        note=proof.note,
    )


def _read_answer(data: bytes, warrant: Warrant, policy: Policy, shots: Collection[str]) -> Answer:
    answer = parse_answer(data, warrant, policy)
    if more := set(answer.shots) - set(shots):
        raise SealError(
            f"it has the secrets of {len(more)} shot{'s' * (len(more) != 1)} not among these",
            hint="name them too, or have a request for these alone answered (--again)",
        )
    if not warrant.issued - CLOCK_TOLERANCE <= answer.time < warrant.expires:
        raise SealError(f"{answer.party.name} answered when the warrant was not in force")
    return answer


def _read_policy(members: Mapping[str, bytes], checked: Checked, data: bytes) -> Policy:
    policy = parse_policy(data)
    while (name := version_name(policy.version + 1)) in members:
        before = policy
        with checked.naming(name):
            policy = follow(policy, parse_change(members[name]))
        if policy is before:
            break
    return policy


def _read_about(data: bytes) -> dict[str, Any]:
    try:
        values = parse_object(data, EVIDENCE, EVIDENCE_LIMIT)
    except ValueError as error:
        raise SealError(str(error)) from None
    refuse_newer("a file of evidence", values.get("format"), FORMAT)
    if wrong := problem(values, _ABOUT):
        raise SealError(wrong)
    return values


def _part(
    members: Mapping[str, bytes], checked: Checked, name: str, read: Callable[[bytes], T]
) -> T | None:
    if name not in members:
        checked.add(name, "it is missing")
        return None
    found = None
    with checked.naming(name):
        found = read(members[name])
    return found


def _plain(shot: str, opened: Opened) -> dict[str, bytes]:
    """Return the parts of a shot as files."""
    parts = {
        f"{SHOTS}{shot}.{opened.metadata.picture}": opened.picture,
        f"{SHOTS}{shot}.json": opened.metadata_json,
    }
    if opened.clip:
        parts[f"{SHOTS}{shot}.{CLIP_NAME.rpartition('.')[2]}"] = opened.clip
    return parts


def _sums(members: Mapping[str, bytes]) -> bytes:
    """Return the hashes as sha256sum writes them."""
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in members.items())
    return "".join(lines).encode()


def _check_sums(members: Mapping[str, bytes], checked: Checked) -> None:
    """Name what was altered since, by whoever did not write the sums anew."""
    text = members.get(SUMS, b"").decode("ascii", errors="replace")
    sums = {line[66:]: line[:64] for line in text.splitlines()}
    for name, data in members.items():
        if name != SUMS and sums.get(name) not in (None, hashlib.sha256(data).hexdigest()):
            checked.add(name, f"it does not have the hash that is in {SUMS}")
    others = {name: data for name, data in members.items() if name != SUMS}
    if members.get(SUMS) != _sums(others) and not checked.wrong:
        checked.add(SUMS, "it does not have the hashes of the parts")


def _damaged(data: bytes) -> str:
    """Return the part of a ZIP that cannot be read, where that can be told."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.testzip() or THE_ZIP
    except Exception:  # zipfile raises a dozen unrelated types on hostile bytes
        return THE_ZIP


_ABOUT: dict[str, Check] = {
    "format": lambda value: value == FORMAT,
    "sealshot": is_text,
    "exported": is_time,
}
