"""Write the vectors of this folder anew: `python tests/data/seal/make_vectors.py [FOLDER]`.

`payload.zip` is an input. All keys, secrets, nonces and X25519 shares come from a fixed stream of
bytes, so that everything in `classical/` and the log come out the same each time. ML-KEM-768 draws
its own randomness inside the `cryptography` package: the age files in `hybrid/` that are sealed to
post-quantum keys differ from run to run, in bytes and not in size.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealshot.runtime.age import age, hybrid, x25519
from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.age.x25519 import X25519Identity
from sealshot.runtime.age.x25519 import is_weak as x25519_is_weak
from sealshot.runtime.seal import evidence as evidence_module
from sealshot.runtime.seal.ceremony import Give, answer, write_request
from sealshot.runtime.seal.checkpoint import checkpoint_path, parse_checkpoint
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.cosign import cosign
from sealshot.runtime.seal.day_keys import DAYS as DAYS_FILE
from sealshot.runtime.seal.day_keys import KEY, DayKeys, enrol
from sealshot.runtime.seal.documents import Document
from sealshot.runtime.seal.entries import (
    Alive,
    ErasurePlaced,
    HoldEnded,
    HoldPlaced,
    HoldStands,
    KeyChanged,
    PolicyChanged,
    Purged,
    Sealed,
    Started,
    Stopped,
    Uploaded,
)
from sealshot.runtime.seal.epochs import KIND as EPOCH_KIND
from sealshot.runtime.seal.epochs import EpochKey
from sealshot.runtime.seal.evidence import write_evidence
from sealshot.runtime.seal.keys import PrivateKey
from sealshot.runtime.seal.log import Log
from sealshot.runtime.seal.log_lines import entries_of, lines_of, verified_entries
from sealshot.runtime.seal.log_signer import certificate_in
from sealshot.runtime.seal.merkle import Tree, hash_leaf
from sealshot.runtime.seal.mldsa import MlDsaSigningKey
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy, make_policy
from sealshot.runtime.seal.proof import Proof
from sealshot.runtime.seal.quorum import (
    Camera,
    open_epoch,
    open_share,
    payload_identity,
    seal_to_quorum,
)
from sealshot.runtime.seal.shamir import combine
from sealshot.runtime.seal.signing import SigningKey
from sealshot.runtime.seal.tiles import Tiles
from sealshot.runtime.seal.times import epoch_end, format_time
from sealshot.runtime.seal.warrant import KIND as WARRANT_KIND
from sealshot.runtime.seal.warrant import Warrant, parse_warrant

HERE = Path(__file__).parent
AUTHORITIES = ("judge", "police", "ombudsman")
NOW = datetime(2026, 11, 21, 10, 20, 30, tzinfo=timezone.utc)
TAKEN = NOW - timedelta(seconds=2)
SEALED = NOW.replace(hour=11, minute=0)  # by then another hour has begun
EPOCH = "2026-11-21"
KINDS: dict[str, type[PrivateKey]] = {
    "classical": X25519Identity,
    "hybrid": HybridIdentity,
    "days": X25519Identity,
}
DAYS = 3


class FixedKey:
    """What stands in for X25519PrivateKey: its ephemeral keys come from the stream."""

    from_private_bytes = staticmethod(X25519PrivateKey.from_private_bytes)

    @staticmethod
    def generate() -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(os.urandom(32))


@contextmanager
def fixed_randomness(label: str) -> Iterator[None]:
    """Draw from SHA-256 of a label and a counter."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        stream = b""
        while len(stream) < size:
            stream += hashlib.sha256(f"{label} {count}".encode()).digest()
            count += 1
        return stream[:size]

    def is_weak(key: bytes) -> bool:
        draw(32)  # as it did when the first vectors were written
        return x25519_is_weak(key)

    with (
        mock.patch("os.urandom", draw),
        mock.patch.multiple(x25519, X25519PrivateKey=FixedKey, is_weak=is_weak),
        mock.patch.object(hybrid, "is_weak", is_weak),
    ):
        yield


def seed(name: str) -> bytes:
    return hashlib.sha256(f"sealshot test vector: {name}".encode()).digest()


@dataclass(frozen=True)
class Keys:
    """All private keys of one kind of vectors."""

    authorities: dict[str, PrivateKey]
    epoch: PrivateKey
    investigator: PrivateKey
    custodian: SigningKey
    camera: SigningKey

    @classmethod
    def of(cls, kind: type[PrivateKey]) -> Keys:
        return cls(
            {name: kind(seed(name)) for name in AUTHORITIES},
            kind(seed("epoch")),
            kind(seed("investigator")),
            SigningKey(seed("custodian")),
            SigningKey(seed("camera")),
        )


def write_kind(folder: Path, kind: str, plain: bytes) -> None:
    """Write the vectors of one kind of keys; the camera of `days` has a key a day."""
    keys = Keys.of(KINDS[kind])
    policy = _policy(keys)
    camera = Party("camera", "cam1", keys.camera.verify_key)
    destroy_at = epoch_end(EPOCH) + policy.retention_time
    shot_id = seed("shot").hex()[:32]
    with fixed_randomness(kind):
        alone = age.encrypt(plain, [keys.investigator.recipient])
        epoch_key = EpochKey(EPOCH, keys.epoch.recipient, destroy_at)
        camera_key = enrolled(folder / kind, keys.camera) if kind == "days" else keys.camera
        sealing = Camera(camera.name, camera_key, policy)
        sealed = seal_to_quorum(plain, sealing, epoch_key, SEALED, TAKEN, shot_id)
        container = read_container(sealed)
        warrant = _warrant(keys, policy, camera)
        answers = {}
        for party in (*policy.authorities[:2], policy.custodian):
            signer, give = _party(keys, party)
            answers[party.name] = answer(
                [container], warrant, policy, party, signer, give, lambda _: False, NOW
            )[1]
    epoch_document = Document(
        EPOCH_KIND,
        {
            "epoch": EPOCH,
            "custodian": policy.custodian.name,
            "recipient": str(keys.epoch.recipient),
            "destroy_at": format_time(destroy_at),
        },
    ).signed(keys.custodian)
    shares = [open_share(container, n, key) for n, key in keys.authorities.items()]
    quorum_secret, epoch_secret = combine(shares), open_epoch(container, keys.epoch)
    payload_key = payload_identity(quorum_secret, epoch_secret, container.header)
    facts = {
        "identities": {
            **{name: key.secret_text() for name, key in keys.authorities.items()},
            "epoch": keys.epoch.secret_text(),
            "investigator": keys.investigator.secret_text(),
            "payload": payload_key.secret_text(),
        },
        "recipients": {
            **{name: str(key.recipient) for name, key in keys.authorities.items()},
            "epoch": str(keys.epoch.recipient),
            "investigator": str(keys.investigator.recipient),
            "until": "",
            "payload": str(payload_key.recipient),
        },
        "signing_keys": {
            **{n: SigningKey.of_authority(k).secret_text() for n, k in keys.authorities.items()},
            "custodian": keys.custodian.secret_text(),
            "camera": keys.camera.secret_text(),
        },
        "policy_sha256": policy.digest,
        "header_sha256": container.header.digest.hex(),
        "warrant_sha256": warrant.digest,
        "shares": {n: share.hex() for n, share in zip(AUTHORITIES, shares, strict=True)},
        "quorum_secret": quorum_secret.hex(),
        "epoch_secret": epoch_secret.hex(),
        "payload_sha256": hashlib.sha256(plain).hexdigest(),
    }
    files = {
        "alone.age": alone,
        "shot.sealed": sealed,
        "policy.toml": policy.encode().encode(),
        "cam1.pub": camera.encode(keys.camera).encode(),
        f"{EPOCH}.json": epoch_document.encode(),
        "warrant.json": warrant.document.encode(),
        "request.zip": write_request([container]),
        **{f"{name}.answer": data for name, data in answers.items()},
        "facts.json": json.dumps(facts, indent=1).encode() + b"\n",
    }
    (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / kind / name).write_bytes(data)
    if isinstance(camera_key, DayKeys):
        proof = write_log_of_days(folder / kind, camera_key, sealed)
        me = [keys.investigator]
        opened = [(n, age.decrypt(data, me)) for n, data in answers.items()]
        with mock.patch.object(evidence_module, "__version__", "0.2.0.dev0"):  # its page may change
            evidence, _ = write_evidence(
                policy, warrant.document.encode(), opened, {shot_id: (sealed, proof)}, SEALED
            )
        (folder / kind / "evidence.zip").write_bytes(evidence)


def enrolled(folder: Path, key: SigningKey) -> DayKeys:
    """Enrol a camera: its files are among the vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (KEY, DAYS_FILE):
        (folder / name).unlink(missing_ok=True)
    checkpoints = SigningKey(seed("checkpoints"))
    with mock.patch.object(SigningKey, "generate", return_value=checkpoints):
        enrol(folder, key, NOW, DAYS)
    return DayKeys(folder)


def write_log_of_days(folder: Path, keys: DayKeys, sealed: bytes) -> bytes:
    """Write a log with all that a camera logs, over two days; return the proof of a shot."""
    shot, better, next_day = (f"{EPOCH}/{seed(f'shot {n}').hex()[:32]}.sealed" for n in range(3))
    ours = f"{EPOCH}/{seed('shot').hex()[:32]}.sealed"
    policy, order, until = seed("policy").hex(), seed("order").hex(), "2027-01-01T00:00:00Z"
    digest, case, second = hashlib.sha256(sealed).hexdigest(), "2026-117 Zürich", "2026-11-22"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "log"
        with Log(path, "cam1", keys) as log:
            log.append(Started("2026-11-21T10", 2, policy, holds=0))
            log.append(
                Alive("2026-11-21T10"),
                Sealed("2026-11-21T11", ours, digest),
                Sealed("2026-11-21T11", shot, seed("its bytes").hex()),
                Sealed("2026-11-21T11", better, seed("its bytes, better").hex()),
                Purged("2026-11-21T11", shot, "a better shot of the person", successor=better),
                Uploaded("2026-11-21T12", ours),
                HoldPlaced("2026-11-21T13", order, case, until),
                Stopped("2026-11-21T14"),
                HoldStands("2026-11-21T15", order, case, until),
                Started("2026-11-21T15", 2, policy, holds=1),
            )
            early = checkpoint_path(path).read_bytes()
            log.turn(keys.on(second), f"{second}T00")
            keys.turn(second)
            log.append(
                PolicyChanged(f"{second}T01", seed("policy 2").hex(), 2, policy),
                Sealed(f"{second}T02", next_day, seed("its bytes, late").hex(), late=1),
                HoldEnded(f"{second}T03", order, until),
                ErasurePlaced(f"{second}T04", order, case),
                Purged(f"{second}T04", better, "erased", warrant=order),
                Stopped(f"{second}T05"),
            )
        data, last = path.read_bytes(), checkpoint_path(path).read_bytes()
    witness = SigningKey(seed("witness"))
    mldsa = MlDsaSigningKey.beside(witness)
    cosigned = cosign(cosign(last, "court", witness, NOW), "court", mldsa, NOW)
    court = Party("witness", "court", witness.verify_key, mldsa_key=mldsa.verify_key)
    lines, tiles, at, signer = list(lines_of(data)), Tiles(), -1, None
    for number, (line, entry) in enumerate(zip(lines, entries_of(lines), strict=True)):
        tiles.add(hash_leaf(line))
        if isinstance(entry, Sealed) and entry.id == ours:
            at = number
        if isinstance(entry, KeyChanged) and at < 0:
            signer = certificate_in(entry)
    size = parse_checkpoint(early, keys.verify_key).size
    proof = Proof(lines[at], at, tuple(tiles.proof(at, size)), early, signer).encode()
    files = {
        "log": data,
        "log.checkpoint": last,
        "log.early-checkpoint": early,
        "log.cosigned": cosigned,
        "court.pub": court.encode(witness).encode(),
        "shot.tlog-proof": proof,
    }
    for name, written in files.items():
        (folder / name).write_bytes(written)
    return proof


def write_log(folder: Path) -> None:
    """Write the log of the camera, with the checkpoint that it had after its second entry."""
    key = SigningKey(seed("camera"))
    shots = [f"{EPOCH}/{seed(f'shot {n}').hex()[:32]}.sealed" for n in range(2)]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "log"
        with Log(path, "cam1", key) as log:
            log.append(*(Sealed("2026-11-21T10", s) for s in shots))
            early = checkpoint_path(path).read_bytes()
            log.append(Uploaded("2026-11-21T11", shots[0]))
            log.append(
                Purged("2026-12-22T00", shots[0], "retention"),
                Purged("2026-12-22T00", shots[1], "Größe"),
            )
        data, last = path.read_bytes(), checkpoint_path(path).read_bytes()
    (folder / "log").write_bytes(data)
    verified = verified_entries(folder / "log", "cam1", key.verify_key, [early, last])
    root = Tree(line for line, _ in verified).root
    (folder / "log.checkpoint").write_bytes(last)
    (folder / "log.early-checkpoint").write_bytes(early)
    facts = {"name": "cam1", "verify_key": str(key.verify_key), "size": 5, "root": root.hex()}
    (folder / "log-facts.json").write_bytes(json.dumps(facts, indent=1).encode() + b"\n")


def write_all(folder: Path) -> None:
    """Write all vectors."""
    plain = (HERE / "payload.zip").read_bytes()
    for kind in KINDS:
        write_kind(folder, kind, plain)
    write_log(folder)


def _policy(keys: Keys) -> Policy:
    authorities = tuple(
        Party("authority", name, SigningKey.of_authority(key).verify_key, key.recipient)
        for name, key in keys.authorities.items()
    )
    custodian = Party("custodian", "custodian", keys.custodian.verify_key)
    return make_policy(2, "30d", "day", "https://example.org/epochs", custodian, authorities)


def _warrant(keys: Keys, policy: Policy, camera: Party) -> Warrant:
    document = Document(
        WARRANT_KIND,
        {
            "id": seed("warrant").hex()[:32],
            "case": "2026-117 Zürich",
            "purpose": "open",
            "policy": policy.digest,
            "cameras": [{"name": camera.name, "key": str(camera.verify_key)}],
            "from": "2026-11-21T10:00:00Z",
            "to": "2026-11-21T12:00:00Z",
            "issued": format_time(NOW),
            "expires": format_time(NOW + timedelta(days=14)),
            "investigator": str(keys.investigator.recipient),
            "until": "",
        },
    )
    for name in AUTHORITIES[:2]:
        document = document.signed(SigningKey.of_authority(keys.authorities[name]))
    return parse_warrant(document.encode())


def _party(keys: Keys, party: Party) -> tuple[SigningKey, Give]:
    if party.role == "custodian":
        return keys.custodian, lambda container: open_epoch(container, keys.epoch)
    identity = keys.authorities[party.name]
    return (
        SigningKey.of_authority(identity),
        lambda container: open_share(container, party.name, identity),
    )


if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
