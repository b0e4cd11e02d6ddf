"""The sealed objects that a command line names: found, read, parted by a warrant."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath

from sealshot.runtime.cli.terminal import note, progress
from sealshot.runtime.cli.words import counted
from sealshot.runtime.errors import InputError, SealError
from sealshot.runtime.files import read_regular
from sealshot.runtime.seal.container import Header, read_container
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.scope import check_header
from sealshot.runtime.seal.warrant import RefusedError, Warrant
from sealshot.runtime.vault.bucket import Bucket, epochs_for
from sealshot.runtime.vault.store import OBJECT_LIMIT, SEALED, SUFFIXES

LATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Found:
    """A sealed object that a command line names."""

    name: str
    """As it is told to whoever asked."""
    read: Callable[[], bytes]
    """Returns its bytes.

    Raises InputError: it cannot be read, or is no file that could be one.
    """
    header: Callable[[], Header]
    """Returns its header; raises the same."""
    path: Path | None = None
    """Where it lies, unless in a bucket."""

    @property
    def stem(self) -> str:
        """Its name alone, without what it ends in."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """What its name ends in."""
        return PurePosixPath(self.name).suffix


def expand(path: Path) -> list[Found]:
    """Return the objects that an argument names: itself, or all in a vault or a day of it.

    Raises:
        InputError: there is none.
    """
    if not path.is_dir():
        return [_found(str(path), partial(_read_file, path), path)]
    files = (file for pattern in ("*", "*/*") for file in path.glob(pattern))
    found = sorted(
        file
        for file in files
        if file.suffix in SUFFIXES and not file.relative_to(path).parts[0].startswith(".")
    )  # what waits for its upload is marked in .upload by files of the same name
    if not found:
        raise InputError(
            f"there is no sealed object in {path}",
            hint="nobody was sealed there, or it is no vault: give one, or an object",
        )
    return [_found(str(file), partial(_read_file, file), file) for file in found]


def expand_bucket(
    url: str, bucket: Bucket, warrant: Warrant | None, late: timedelta
) -> list[Found]:
    """Return the objects of a bucket: of the epochs that a warrant may cover, or all.

    Args:
        url: of the bucket, as it was given.
        bucket: the same, open.
        warrant: headers are fetched for it; None takes all, and fetches nothing yet.
        late: how long after it was taken a shot was sealed at most.

    Raises:
        InputError: there is none.
        BucketError: it cannot be listed or read.
    """
    epochs = there = bucket.epochs()
    if warrant is not None:
        epochs = epochs_for(there, warrant.start, warrant.end, late)
        left = sum(epochs[-1] < one for one in there)
        note(
            f"{len(epochs)} of {counted(len(there), 'epoch')} looked through, {epochs[0]} to "
            f"{epochs[-1]}" + (f"; {left} later ones are not (--late)" if left else "")
        )
    objects = bucket.objects(epochs)
    if not objects:
        raise InputError(f"there is no sealed object in {url}", hint="give s3://BUCKET/PREFIX")
    found = [_found(f"{url.rstrip('/')}/{one.id}", partial(bucket.read, one.id)) for one in objects]
    if warrant is None:
        return found
    with progress("reading headers", len(objects)) as bar:
        for number, header in enumerate(bucket.headers(objects)):
            bar.update(number + 1)
            found[number] = replace(found[number], header=partial(_given, header))
    return found


def in_scope(objects: list[Found], warrant: Warrant, policy: Policy) -> list[Found]:
    """Return the objects that a warrant is for; what is damaged stays, to be told later.

    Raises:
        InputError: it is for none of them.
    """
    kept, left_out = [], Counter[str]()
    for found in objects:
        if found.suffix != SEALED:
            left_out["not sealed under a policy"] += 1
            continue
        try:
            check_header(warrant, found.header(), policy)
        except RefusedError as error:
            left_out[error.reason] += 1
            continue
        except InputError:
            pass
        kept.append(found)
    for reason, count in left_out.items():
        note(f"{count} left out: {reason}")
    if not kept:
        raise InputError(
            "the warrant is for none of the objects", hint="`sealshot warrant show` says for which"
        )
    return kept


def _found(name: str, read: Callable[[], bytes], path: Path | None = None) -> Found:
    return Found(name, read, partial(_verified, read), path)


def _verified(read: Callable[[], bytes]) -> Header:
    return read_container(read()).header


def _given(header: Header | SealError) -> Header:
    if isinstance(header, SealError):
        raise header
    return header


def _read_file(path: Path) -> bytes:
    try:
        return read_regular(path, OBJECT_LIMIT, follow=True)
    except OSError as error:
        if error.errno == errno.EFBIG:
            fact, hint = "it is larger than any sealed shot", "`age -d -i KEY FILE` opens it"
        else:
            fact, hint = f"cannot read it: {error.strerror}", "check the path"
        raise InputError(fact, hint) from error
