"""Orders to erase shots of a vault before their time, as who is on them may ask for.

    vault/.erasures/<warrant>.json    signed by a quorum; it stays, for the log names it

A shot that is on legal hold stays until that has ended. A custodian keeps such orders in its folder
in the same way, and answers for what they name no more, wherever copies lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sealshot.runtime.errors import SealError
from sealshot.runtime.files import PART, file_error, fsync_folder, read_regular
from sealshot.runtime.seal.container import read_container
from sealshot.runtime.seal.documents import write_file
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.scope import check_scope
from sealshot.runtime.seal.times import utc_now
from sealshot.runtime.seal.warrant import (
    WARRANT_LIMIT,
    Warrant,
    check_placed,
    check_warrant,
    parse_warrant,
)
from sealshot.runtime.vault.store import OBJECT_LIMIT, SEALED

FOLDER, SUFFIX = ".erasures", ".json"


def place_erasure(vault: Path, warrant: Warrant, policy: Policy) -> Path:
    """Lay an order to erase beside the shots of a vault; return its file.

    Raises:
        RefusedError: the warrant is not in force.
        SealError: it cannot be written.
    """
    check_warrant(warrant, policy, utc_now(), "erase")
    return _lay(vault, warrant)


def copy_erasures(source: Path, to: Path, policy: Policy) -> dict[str, str]:
    """Lay the orders of one folder into another; return what is wrong with files that are none.

    Raises:
        SealError: one cannot be written.
    """
    orders, wrong = read_erasures(source, policy)
    for order in orders.values():
        _lay(to, order)
    return wrong


def _lay(vault: Path, warrant: Warrant) -> Path:
    folder = vault / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        fsync_folder(vault)
    except OSError as error:
        raise file_error(f"the folder {folder} cannot be made", error, "check the vault") from error
    path = folder / f"{warrant.digest}{SUFFIX}"
    write_file(path, warrant.document.encode())
    return path


def read_erasures(vault: Path, policy: Policy) -> tuple[dict[str, Warrant], dict[str, str]]:
    """Return the orders that a quorum signed, by digest; and of files that are none, what is wrong.

    Nothing is erased by one that cannot be verified, and nothing else is kept from going by it.
    """
    orders, wrong = {}, {}
    for path in _files(vault):
        try:
            warrant = parse_warrant(read_regular(path, WARRANT_LIMIT))
            check_placed(warrant, policy, "erase")
            if warrant.digest + SUFFIX != path.name:
                raise SealError("its name is that of another warrant")
        except OSError as error:
            wrong[path.name] = f"it cannot be read: {error.strerror}"
        except SealError as error:
            wrong[path.name] = error.fact
        else:
            orders[warrant.digest] = warrant
    return orders, wrong


def drop_late(
    orders: Mapping[str, Warrant], policy: Policy, seen: Callable[[set[str]], set[str]]
) -> tuple[dict[str, Warrant], dict[str, str]]:
    """Return the orders to go by; and of the others, by the name of their files, why not.

    What a former quorum ordered in its time lasts. Whoever has its keys since then can sign another
    one, and lay it beside the shots: that came too late.

    Args:
        orders: as :func:`read_erasures` returns them.
        policy: in force.
        seen: returns which of these digests the log has, from when they came.
    """
    former = {digest for digest, order in orders.items() if order.policy != policy.digest}
    late = former - seen(former) if former else former
    why = f"it came after its signers were replaced: version {policy.version} rules by now"
    return (
        {digest: order for digest, order in orders.items() if digest not in late},
        {digest + SUFFIX: why for digest in sorted(late)},
    )


def find_ordered(
    vault: Path, object_ids: Iterable[str], warrant: Warrant, policy: Policy
) -> list[str]:
    """Return which objects of a vault an order is for: named, and of its cameras and hours."""
    shots, found = set(warrant.shots), []
    for object_id in object_ids:
        name = name_of(object_id)
        if name not in shots:
            continue
        try:
            container = read_container(read_regular(vault / object_id, OBJECT_LIMIT))
            check_scope(warrant, container, policy)
        except (SealError, OSError):  # `vault verify` names what it is
            continue
        if container.header.id == name:
            found.append(object_id)
    return found


def name_of(object_id: str) -> str:
    """Return the id of a shot by that of its object."""
    return object_id.rpartition("/")[2].removesuffix(SEALED)


def _files(vault: Path) -> list[Path]:
    folder = vault / FOLDER
    try:
        names = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError:
        return []
    return [path for path in names if not path.name.endswith(PART)]
