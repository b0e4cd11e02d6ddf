"""What `run` and `serve` seal with: a policy's camera or recipients, and where shots are sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from sealshot.runtime.seal.keys import parse_recipients
from sealshot.runtime.vault.keeper import Sealing
from sealshot.runtime.vault.upload import Delivery


def open_delivery(url: str | None, after_upload: str | None) -> Delivery | None:
    """Return where shots are sent; None where they are not.

    Raises:
        InputError: there is no sending to such an address.
    """
    if not url:
        return None
    from sealshot.runtime.vault.targets import open_target  # it loads HTTP and TLS

    delete = after_upload == "delete"
    return Delivery(open_target(url, prove=delete), delete=delete)


def sealing_for(
    policy: Path | None,
    recipients: Sequence[str],
    *,
    retention: timedelta | None,
    quota_bytes: int | None,
    rate: int | None = None,
    delivery: Delivery | None,
    clock_is_right: bool = False,
) -> Sealing:
    """Return whom to seal to: the quorum of a policy or, without one, recipients.

    Raises:
        InputError: the policy is not that of an enrolled camera, or a recipient is none.
    """
    if policy is None:
        return Sealing(
            recipients=tuple(parse_recipients(list(recipients))),
            retention=retention,
            quota_bytes=quota_bytes,
            rate=rate,
            delivery=delivery,
            clock_is_right=clock_is_right,
        )
    from sealshot.runtime.cli.commands.camera import read_camera, read_keys

    keys = read_keys(policy)  # first: it may take a new version of the policy
    camera = read_camera(policy)
    return Sealing(
        camera=camera,
        epoch_keys=keys,
        newest_keys=partial(read_keys, policy),
        retention=camera.policy.retention_time,
        quota_bytes=quota_bytes,
        rate=rate,
        delivery=delivery,
        clock_is_right=clock_is_right,
    )
