"""`sealshot vault erase`: shots that a quorum wants gone before their time."""

from __future__ import annotations

from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments
from sealshot.runtime.cli.commands.vault_purge import log_camera
from sealshot.runtime.cli.terminal import note, say, warn
from sealshot.runtime.cli.words import counted
from sealshot.runtime.seal.checkpoint import LogError
from sealshot.runtime.seal.entries import Uploaded
from sealshot.runtime.seal.log_lines import entries_of, lines_in
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.seal.times import format_time
from sealshot.runtime.seal.warrant import read_warrant
from sealshot.runtime.vault.clock import CLOCK, TrustedClock
from sealshot.runtime.vault.erasures import find_ordered, name_of, place_erasure
from sealshot.runtime.vault.holds import read_holds
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.record import LOG
from sealshot.runtime.vault.store import list_objects


def erase(arguments: Arguments, argv: list[str]) -> int:
    """Erase the shots that a warrant names; 1 if one that is there is not gone yet."""
    add = arguments.add_argument
    add("vault", metavar="VAULT", type=Path)
    add("--warrant", type=Path, required=True)
    add("--policy", type=Path, required=True)
    given = arguments.parse_args(argv)
    vault: Path = given.vault
    objects = [found.id for found in list_objects(vault)]
    policy, warrant = read_policy(given.policy), read_warrant(given.warrant)
    holds = read_holds(vault, policy, TrustedClock(vault / CLOCK).peek().earliest)
    say(str(place_erasure(vault, warrant, policy)))
    there = find_ordered(vault, objects, warrant, policy)
    _act(vault, given.policy, policy)
    left = [object_id for object_id in there if (vault / object_id).exists()]
    for object_id in left:
        if hold := holds.of(object_id):
            until = format_time(hold.until)
            warn(f"{object_id} stays: it is on hold for case {hold.warrant.case} until {until}")
    gone = len(there) - len(left)
    note(f"{counted(gone, 'shot')} erased for case {warrant.case}")
    if missing := len(warrant.shots) - len(there):
        note(f"{counted(missing, 'shot')} of the warrant not here, or not of its cameras and hours")
    for object_id in _uploaded(vault, set(warrant.shots)):
        warn(f"{object_id} was uploaded: delete it there, too")
    return 1 if left else 0


def _act(vault: Path, policy_file: Path, policy: Policy) -> None:
    """Erase now, unless a run has the vault, which does so by itself."""
    if (vault / LOG).exists() and not (policy_file.parent / "camera.key").exists():
        note("the camera erases them within ten minutes, or when it runs next")
        return
    try:
        Keeper(vault, Sealing(camera=log_camera(vault, policy_file), policy=policy)).close()
    except LogError as error:
        if not isinstance(error.__cause__, BlockingIOError):
            raise
        note("a run has the vault: it erases them within ten minutes")


def _uploaded(vault: Path, shots: set[str]) -> list[str]:
    if not (vault / LOG).exists():
        return []
    entries = entries_of(lines_in(vault / LOG))
    ids = {entry.id for entry in entries if isinstance(entry, Uploaded)}
    return sorted(object_id for object_id in ids if name_of(object_id) in shots)
