"""Epoch keys: published by the custodian, one a day or an hour; destroyed when their time is over.

    public folder    2026-11-21.json     a signed document: the epoch's recipient, when its key dies
                     policy.d/2.json     the versions of the policy, see `succession.py`
    secret folder    2026-11-21.key      the identity, until then

Each key is made from fresh randomness, never derived from another one: when its file is gone, no
copy of a shot of that epoch can be opened by anyone.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sealshot.runtime.age.hybrid import HybridIdentity
from sealshot.runtime.errors import SealError, SealshotError
from sealshot.runtime.files import PART, fsync_folder
from sealshot.runtime.seal.container import Header
from sealshot.runtime.seal.documents import Document, parse_document, read_file, write_file
from sealshot.runtime.seal.fetch import fetch
from sealshot.runtime.seal.fields import Check, is_name
from sealshot.runtime.seal.keys import (
    KEY_FILE_LIMIT,
    PrivateKey,
    PublicKey,
    identity_file,
    parse_recipient,
    read_identities,
)
from sealshot.runtime.seal.policy import POLICY_LIMIT, Policy
from sealshot.runtime.seal.signing import SigningKey, is_key_text
from sealshot.runtime.seal.succession import version_name
from sealshot.runtime.seal.times import (
    epoch_of,
    epoch_start,
    format_time,
    is_epoch,
    is_time,
    next_epochs,
    parse_time,
)

logger = logging.getLogger(__name__)

KIND = "sealshot/epoch-key/1"
KEY_SUFFIX, PUBLIC_SUFFIX = ".key", ".json"
DOCUMENT_BYTES = 64 * 1024

_END = "# destroy at: "


@dataclass(frozen=True, slots=True)
class EpochKey:
    """The public key of an epoch, as the custodian signed it."""

    epoch: str
    recipient: PublicKey
    destroy_at: datetime
    """When the private key is destroyed."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What :func:`publish` wrote."""

    made: tuple[tuple[str, PublicKey], ...]
    """Epochs that got a new key, with its public half."""
    again: tuple[str, ...]
    """Epochs whose key was there, and whose public half was not, or was another one."""
    elsewhere: tuple[str, ...] = ()
    """Epochs whose key was published, and is not there."""


def publish(
    key: SigningKey,
    policy: Policy,
    secrets: Path,
    public: Path,
    now: datetime,
    ahead: timedelta,
) -> Publication:
    """Publish the keys of this epoch and those that begin within ``ahead``.

    A key that is there is published again as it is: shots may be sealed to it, and whoever serves
    the public halves can lose them. Only an epoch without a key gets one.

    Raises:
        SealError: a secret that is there cannot be read.
        SealshotError: a file cannot be written.
    """
    made, again, elsewhere = [], [], []
    for epoch in next_epochs(now, policy.epoch, ahead):
        secret, file = secrets / (epoch + KEY_SUFFIX), public / (epoch + PUBLIC_SUFFIX)
        if secret.exists():
            identity = _read_secret(secret)
            if _is_published(file, policy, epoch, identity.recipient):
                continue
            again.append(epoch)
        elif file.exists() and not _is_of_former_custodian(file, policy, epoch):
            elsewhere.append(epoch)  # on another machine, or destroyed
            continue
        else:
            identity = HybridIdentity.generate()
            text = f"{identity_file(identity)}{_END}{format_time(policy.end_of(epoch))}\n"
            write_file(secret, text.encode(), mode=0o600)  # whole or not at all
            made.append((epoch, identity.recipient))
        body = {
            "epoch": epoch,
            "custodian": policy.custodian.name,
            "recipient": str(identity.recipient),
            "destroy_at": format_time(end_of_key(secret, policy)),
        }
        write_file(file, Document(KIND, body).signed(key).encode())
    return Publication(tuple(made), tuple(again), tuple(elsewhere))


def _read_secret(path: Path) -> PrivateKey:
    try:
        [identity] = read_identities(str(path))
    except (SealError, ValueError) as error:
        raise SealError(
            f"{path} is damaged: it holds no key",
            hint="restore it from a backup; delete it only if it was never published: shots sealed "
            "to it could never be opened",
        ) from error
    return identity


def _is_published(file: Path, policy: Policy, epoch: str, recipient: PublicKey) -> bool:
    found = _read_published(file, policy, epoch)
    return found is not None and found.recipient == recipient


def _read_published(file: Path, policy: Policy, epoch: str) -> EpochKey | None:
    try:
        return parse_epoch_key(read_file(file, "epoch key", DOCUMENT_BYTES), policy, epoch)
    except SealError:
        return None


def _is_of_former_custodian(file: Path, policy: Policy, epoch: str) -> bool:
    """Whether a key was published by a custodian that the present one took the place of."""
    former = (one for one in policy.versions if one.custodian != policy.custodian)
    return any(_read_published(file, one, epoch) is not None for one in former)


def end_of_key(secret: Path, policy: Policy) -> datetime:
    """Return when the private key of an epoch is to be destroyed.

    What it was made with stands in its file: a policy that keeps for longer does not prolong it.
    """
    end = policy.end_of(secret.stem)
    try:
        text = read_file(secret, "epoch key", KEY_FILE_LIMIT).decode("ascii", errors="replace")
    except SealError:  # it is damaged: it goes by the policy alone
        return end
    written = [line.removeprefix(_END) for line in text.splitlines() if line.startswith(_END)]
    return min([end, *(parse_time(time) for time in written if is_time(time))])


def is_over(header: Header, policy: Policy, now: datetime) -> bool:
    """Whether the time in which a shot can be opened is over."""
    return policy.end_of(header.epoch, header.policy) <= now


def expired(secrets: Path, policy: Policy, now: datetime) -> list[str]:
    """Return the epochs whose private key is there and is over its time."""
    keys = [path for path in mortal_keys(secrets) if is_epoch(path.stem)]
    return sorted(path.stem for path in keys if end_of_key(path, policy) <= now)


def mortal_keys(folder: Path) -> set[Path]:
    """Return the private keys of a folder, also those that a killed run left half renamed."""
    left = folder.glob(f"*{KEY_SUFFIX}{PART}")
    return {*folder.glob("*" + KEY_SUFFIX), *(path.with_suffix("") for path in left)}


def destroy_file(path: Path) -> None:
    """Overwrite a secret file, and what a killed run left of it, then delete both, durably.

    What flash memory keeps of overwritten blocks is out of a program's reach: see THREATS.md.

    Raises:
        SealshotError: it could not be destroyed.
    """
    for one in (path, path.with_name(path.name + PART)):
        try:
            size = one.stat().st_size
            with one.open("r+b") as file:
                file.write(os.urandom(size))
                file.flush()
                os.fsync(file.fileno())
            one.unlink()
            fsync_folder(one.parent)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SealshotError(
                f"the key {one} could not be destroyed: {error.strerror}",
                hint="destroy it by hand: what it opens should be closed for ever by now",
            ) from error


class EpochKeys:
    """The published keys of a policy, from its folder or address, kept for when it is away.

    Args:
        policy: whose custodian must have signed.
        cache: a folder for what was fetched; None keeps it in memory.
        base: folder that a relative ``epoch_keys`` starts from: that of the policy's file.
    """

    def __init__(self, policy: Policy, cache: Path | None, base: Path = Path()) -> None:
        self.policy, self._cache, self._base = policy, cache, base
        self._keys: dict[str, EpochKey] = {}
        self._keeping = threading.Lock()  # one thread seals, another one looks ahead

    def prefetch(self, now: datetime, ahead: timedelta) -> int:
        """Get the keys of this epoch and of those that begin within ``ahead``; return how many.

        One to come that cannot be trusted is told and left: its time, or a better one, may come.

        Raises:
            SealError: the key of the present epoch is not signed by the custodian.
        """
        current, *later = next_epochs(now, self.policy.epoch, ahead)
        count = int(self.get(current) is not None)
        for epoch in later:
            try:
                count += self.get(epoch) is not None
            except SealError as error:
                logger.warning("%s (hint: %s)", error.fact, error.hint)
        return count

    def current(self, now: datetime) -> EpochKey | None:
        """Return the key to seal to: that of this epoch, else the latest one before it.

        An older key dies sooner: what is sealed to it is never kept longer than promised.
        """
        epoch = epoch_of(now, self.policy.epoch)
        if (key := self.get(epoch)) is not None:
            return key
        before = [e for e in self._known() if epoch_start(e) < epoch_start(epoch)]
        for earlier in sorted(before, reverse=True)[:1]:
            found = self.get(earlier)
            if found is not None and found.destroy_at > now:
                return found
        return None

    def get(self, epoch: str) -> EpochKey | None:
        """Return the key of an epoch, or None where it is not published or cannot be reached.

        Raises:
            SealError: what is published there is not signed by the custodian of the policy.
        """
        if epoch not in self._keys:
            key = self._cached(epoch) or self._fetched(epoch)
            if key is None:
                return None
            self._keys[epoch] = key
        return self._keys[epoch]

    def _cached(self, epoch: str) -> EpochKey | None:
        cached = self._cache / (epoch + PUBLIC_SUFFIX) if self._cache else None
        if cached is None or not cached.is_file():
            return None
        try:
            return parse_epoch_key(cached.read_bytes(), self.policy, epoch)
        except SealError:  # it was fit when it was kept: by an earlier version of the policy
            return None

    def _fetched(self, epoch: str) -> EpochKey | None:
        name = epoch + PUBLIC_SUFFIX
        data = fetch(self.policy.epoch_keys, self._base, name, DOCUMENT_BYTES)
        if data is None:
            return None
        key = parse_epoch_key(data, self.policy, epoch)
        if self._cache is not None:
            with self._keeping:
                self._cache.mkdir(parents=True, exist_ok=True)
                write_file(self._cache / name, data)
        return key

    def _known(self) -> set[str]:
        folders = [self._cache] if self._cache else []
        if "://" not in self.policy.epoch_keys:
            folders.append(self._base / self.policy.epoch_keys)
        files = [file for folder in folders for file in folder.glob("*" + PUBLIC_SUFFIX)]
        return {file.stem for file in files if is_epoch(file.stem)} | self._keys.keys()


def parse_epoch_key(data: bytes, policy: Policy, epoch: str) -> EpochKey:
    """Read a published key and check that it is the custodian's, and of that epoch.

    Raises:
        SealError: it is not.
    """
    document = parse_document(data, KIND, _CHECKS)
    body = document.body
    if policy.custodian.verify_key not in document.signers():
        raise SealError(
            f"the key of epoch {epoch} is not signed by the custodian of the policy",
            hint="check the address of the epoch keys: somebody may be putting in their own",
        )
    destroy_at = parse_time(body["destroy_at"])
    if body["epoch"] != epoch or destroy_at > policy.end_of(epoch):
        raise SealError(
            f"the key published for epoch {epoch} is of another epoch, or is to be kept too long",
            hint="ask the custodian to publish it again",
        )
    recipient = parse_recipient(body["recipient"])
    if policy.is_post_quantum and not recipient.is_post_quantum:
        raise SealError(
            f"the key published for epoch {epoch} is weaker than those of the policy: it is not "
            "post-quantum",
            hint="ask the custodian to publish it again",
        )
    return EpochKey(epoch, recipient, destroy_at)


def published_version(policy: Policy, base: Path) -> bytes | None:
    """Return the version after a policy, where it lies beside the epoch keys; nothing verified.

    Raises:
        SealError: nothing can be fetched from such an address.
    """
    return fetch(policy.epoch_keys, base, version_name(policy.version + 1), POLICY_LIMIT)


_CHECKS: dict[str, Check] = {
    "epoch": is_epoch,
    "custodian": is_name,
    "recipient": is_key_text(parse_recipient),
    "destroy_at": is_time,
}
