"""`sealshot vault`: list, verify, count, upload, hold, purge and erase what a vault holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sealshot.runtime.cli.arguments import Arguments, run_action
from sealshot.runtime.cli.commands.vault_bucket import stats_bucket, verify_bucket
from sealshot.runtime.cli.commands.vault_erase import erase
from sealshot.runtime.cli.commands.vault_holds import holds
from sealshot.runtime.cli.commands.vault_list import list_vault
from sealshot.runtime.cli.commands.vault_purge import hold, purge
from sealshot.runtime.cli.commands.vault_upload import TRIES, upload
from sealshot.runtime.cli.commands.vault_verify import stats, verify
from sealshot.runtime.vault.s3 import SCHEME

USAGE = f"""\
usage: sealshot vault list   VAULT [--json]
       sealshot vault verify VAULT [--camera FILE.pub]... [--policy FILE] [--log FILE | --no-log]
                             [--checkpoint FILE]... [--json]
       sealshot vault stats  VAULT [--quota SIZE] [--json]
       sealshot vault upload VAULT URL [--policy FILE | --retention TIME] [--after-upload DO]
                             [--all] [--tries N] [--clock-is-right] [--json]
       sealshot vault purge  VAULT --policy FILE | --retention TIME [--dry-run]
                             [--clock-is-right] [--json]
       sealshot vault hold   VAULT --warrant FILE --policy FILE [--until TIME]
       sealshot vault holds  VAULT --policy FILE [--json]
       sealshot vault erase  VAULT --warrant FILE --policy FILE

list, verify and stats take s3://BUCKET/PREFIX for VAULT, too: what uploads brought there, with
credentials from the environment. list and stats ask once for 1000 objects; verify fetches each, and
takes --log FILE of the camera, or --no-log: what the log has as uploaded must be there until its
time is over.

None of them needs a key that opens anything, and what is inside stays unknown.

list    Show the sealed objects, oldest first: id, size, and the hour in which each was sealed.
verify  Check that every object is whole, signed by its camera, in its place and not over its time,
        and that the log agrees: nothing unknown, nothing missing, nothing left that it has as
        purged. The exit code is 1 if something is wrong. Of shots sealed to recipients (.age) only
        the form can be checked.
stats   Count shots and bytes by epoch and camera, and what waits for its upload.
upload  Send what `run --upload URL` could not; URL means the same here. Ctrl-C ends it; what is not
        sent stays marked, for the next time. The exit code is 1 if something is left. What is over
        its time is not sent, but deleted; what was sent is logged.
purge   Delete the shots whose retention time is over, and say which; it is logged. `run --policy`
        does the same for its own vault, every ten minutes. What is on legal hold stays.
hold    Under a warrant with --purpose hold: keep the shots that it is for until the end that it
        says, whatever their time or the quota. See also `sealshot custodian hold`, which keeps
        their keys.
holds   Show the holds that are in force, and those that the log has as over: the case, until when,
        and how many shots each keeps. Those that cannot be verified are an error.
erase   Under a warrant with --purpose erase: delete the shots that it names before their time, log
        it, and keep the warrant for `verify`, which asks for it. With the policy of another
        folder than the camera's, or while a run has the vault, the run does so within ten minutes;
        the exit code is then 1. What is on legal hold stays until that ends; copies elsewhere stay.

--camera FILE.pub  who may have sealed; may be repeated (default: the camera beside the policy).
                   Without it, that somebody signed is checked, and not who
--policy FILE      of the shots: for their retention time, and to verify holds. To purge or
                   upload a vault with a log: DIR/policy.toml of its camera, which signs the log
--log FILE         of the camera (default: VAULT/log); --no-log where there is none, as in a copy
--checkpoint FILE  one that was kept elsewhere: finds a log that was cut or written anew
--retention TIME   as 30d, counted from the end of the day or hour that a shot was sealed in
--after-upload DO  keep (default) or delete them here once the server has acknowledged them
--all              send all shots, also what was sent before: to another server
--tries N          failures in a row to give up after (default {TRIES}); the waits between them
                   double, from 1 s to 10 minutes
--dry-run          say what would go, and change nothing
--clock-is-right   take the system's clock although it jumped
--quota SIZE       show how much of it is used

examples:
  sealshot vault verify vault/ --policy camera-north/policy.toml
  sealshot vault upload vault/ s3://bucket/cam --policy camera-north/policy.toml
  sealshot vault purge archive/ --retention 30d --dry-run
"""


Action = Callable[[Arguments, list[str]], int]


def main(argv: list[str]) -> int:
    """Run `sealshot vault`."""
    actions: dict[str, Action] = {
        "list": list_vault,
        "verify": partial(_either, verify, verify_bucket),
        "stats": partial(_either, stats, stats_bucket),
        "upload": upload,
        "purge": purge,
        "hold": hold,
        "holds": holds,
        "erase": erase,
    }
    bound = {
        name: partial(action, Arguments(f"vault {name}", USAGE)) for name, action in actions.items()
    }
    return run_action("vault", USAGE, bound, argv)


def _either(folder: Action, bucket: Action, arguments: Arguments, argv: list[str]) -> int:
    """Act on a vault that is a folder, or on what uploads brought to a bucket."""
    return (bucket if any(a.startswith(SCHEME) for a in argv) else folder)(arguments, argv)
