"""`sealshot vault verify` and `stats` of what uploads brought to a bucket."""

from __future__ import annotations

import errno
from collections import Counter

from sealshot.runtime.cli.arguments import Arguments, size
from sealshot.runtime.cli.commands.vault_verify import add_checks, need_cameras, read_rules, tell
from sealshot.runtime.cli.terminal import progress, say, say_json, table
from sealshot.runtime.cli.words import counted
from sealshot.runtime.seal.checkpoint import CHECKPOINT_LIMIT
from sealshot.runtime.seal.documents import read_file
from sealshot.runtime.seal.times import epoch_start, utc_now
from sealshot.runtime.vault.bucket import Bucket, open_bucket
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.s3 import BucketError
from sealshot.runtime.vault.store import OBJECT_LIMIT
from sealshot.runtime.vault.verify import check_objects, compare_copy


def verify_bucket(arguments: Arguments, argv: list[str]) -> int:
    """Check what is there; 1 if something is wrong."""
    arguments.add_argument("vault", metavar="VAULT")
    add_checks(arguments)
    given = arguments.parse_args(argv)
    if given.no_log == bool(given.log) or (given.no_log and given.checkpoint):
        arguments.error("of a bucket give the --log FILE of its camera, or --no-log, and not both")
    bucket = open_bucket(given.vault)
    rules = read_rules(given, utc_now())
    kept = [read_file(path, "checkpoint", CHECKPOINT_LIMIT) for path in given.checkpoint]
    objects = bucket.objects(bucket.epochs())  # first: what is uploaded meanwhile, the log knows
    logged = None
    if given.log:
        need_cameras(rules.cameras, given.log)
        logged = read_logged(given.log, rules.cameras, kept, rules.retention, policy=rules.policy)
    sizes = {found.id: found.bytes for found in objects}
    with progress("checking", len(objects)) as bar:
        count = iter(range(1, len(objects) + 1))
        checked = check_objects(
            objects, lambda i: _read(bucket, i, sizes[i]), rules, lambda: bar.update(next(count))
        )
    findings = compare_copy(checked, logged, rules) if logged else list(checked.findings.values())
    return tell(findings, logged, len(kept), rules.cameras, json=given.json)


def stats_bucket(arguments: Arguments, argv: list[str]) -> int:
    """Count what is there, by a listing alone."""
    arguments.add_argument("vault", metavar="VAULT")
    arguments.add_argument("--quota", type=size)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)
    bucket = open_bucket(given.vault)
    objects = bucket.objects(bucket.epochs())
    shots, sizes = Counter[str](), Counter[str]()
    for found in objects:
        shots[found.epoch] += 1
        sizes[found.epoch] += found.bytes
    epochs, total = sorted(shots, key=epoch_start), sizes.total()
    if given.json:
        say_json(
            {
                "shots": len(objects),
                "bytes": total,
                "oldest": epochs[0] if epochs else None,
                "newest": epochs[-1] if epochs else None,
                "quota_share": total / given.quota if given.quota else None,
                "groups": [{"epoch": e, "shots": shots[e], "bytes": sizes[e]} for e in epochs],
            }
        )
        return 0
    table(("epoch", ">shots", ">bytes"), [(e, str(shots[e]), f"{sizes[e]:,}") for e in epochs])
    say(f"{counted(len(objects), 'shot')}, {total:,} bytes")
    if given.quota:
        say(f"{total / given.quota:.1%} of the quota of {given.quota:,} bytes")
    return 0


def _read(bucket: Bucket, object_id: str, size: int) -> bytes:
    """Return an object; what one of them lacks is told as it is of a file."""
    if size > OBJECT_LIMIT:
        raise OSError(errno.EFBIG, "it is larger than any sealed shot")
    try:
        return bucket.read(object_id)
    except BucketError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise OSError(errno.ENOENT, "it went meanwhile") from error
        raise
