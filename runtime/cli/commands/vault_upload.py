"""`sealshot vault upload`: send what waits in a vault, without a run."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from sealshot.runtime.cli.arguments import Arguments, duration, positive_int
from sealshot.runtime.cli.commands.vault_purge import log_camera
from sealshot.runtime.cli.terminal import fail, note, progress, say, say_json
from sealshot.runtime.cli.words import counted
from sealshot.runtime.pipeline.stop import Stop
from sealshot.runtime.seal.succession import read_policy
from sealshot.runtime.vault.keeper import Keeper, Sealing
from sealshot.runtime.vault.store import list_objects
from sealshot.runtime.vault.targets import UploadError, open_target
from sealshot.runtime.vault.upload import SPOOL, Delivery, Standing, mark_all

TRIES = 6
LOOK_EVERY_S = 0.1


def upload(arguments: Arguments, argv: list[str]) -> int:
    """Send what waits; 1 if something is left."""
    add = arguments.add_argument
    add("vault", metavar="VAULT", type=Path)
    add("url", metavar="URL")
    add("--policy", type=Path)
    add("--retention", type=duration)
    add("--after-upload", choices=("keep", "delete"), default="keep")
    add("--all", action="store_true")
    add("--tries", type=positive_int, default=TRIES)
    add("--clock-is-right", action="store_true")
    add("--json", action="store_true")
    given = arguments.parse_args(argv)
    if given.policy and given.retention:
        arguments.error("the policy says how long shots are kept: leave --retention out")
    vault: Path = given.vault
    list_objects(vault)  # no vault is made by uploading one
    delete = given.after_upload == "delete"
    delivery = Delivery(open_target(given.url, prove=delete), delete=delete)
    policy = read_policy(given.policy) if given.policy else None
    sealing = Sealing(
        camera=log_camera(vault, given.policy),
        policy=policy,
        retention=policy.retention_time if policy else given.retention,
        delivery=delivery,
        clock_is_right=given.clock_is_right,
    )
    interrupted, end = _send(vault, sealing, given.tries, every=given.all)
    if given.json:
        say_json({"uploaded": end.sent, "left": end.waiting, "interrupted": interrupted})
    else:
        say(
            f"{counted(end.sent, 'shot')} uploaded"
            + (f", {end.waiting} left" if end.waiting else "")
        )
    if interrupted:
        raise KeyboardInterrupt
    if end.waiting:
        left = UploadError(
            f"{end.waiting} of {end.waiting + end.sent} shots are not uploaded",
            hint="they wait in the vault: give the command again when the server takes them",
        )
        fail(left)
        return left.exit_code
    return 0


def _send(vault: Path, sealing: Sealing, tries: int, *, every: bool) -> tuple[bool, Standing]:
    """Return whether Ctrl-C ended it, and how far it came."""
    if every:
        mark_all(vault, list_objects(vault))
    elif not (vault / SPOOL).is_dir():
        objects = list_objects(vault)
        if not objects:
            note("nothing waits here, and there is no shot to send")
            return False, Standing(0, 0, 0)
        note("this vault was filled without --upload: all of its shots are sent")
        mark_all(vault, objects)
    stop = Stop()
    # waits: on a full disk, what is deleted here makes room
    with stop.on_signals(), closing(Keeper(vault, sealing, waits=True)) as keeper, stop.heeded():
        first = keeper.standing()
        with progress("uploading", first.waiting + first.sent) as bar:
            while (now := keeper.standing()).waiting and now.failures < tries:
                bar.update(now.sent)
                time.sleep(LOOK_EVERY_S)
                keeper.tick()  # logs what was sent
                if stop.is_set():
                    break
        keeper.stop_uploads()
        keeper.tick()
    return stop.is_set(), keeper.standing()
