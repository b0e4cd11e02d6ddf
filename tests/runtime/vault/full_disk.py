"""What tests of full disks share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sealshot.runtime.seal.party import read_party
from sealshot.runtime.vault.logged import read_logged
from sealshot.runtime.vault.record import LOG


def fill(disk: Path) -> Callable[[], None]:
    """Fill a disk; return what frees it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(512)):
                pass
        except OSError:
            pass
    return filler.unlink


def kept_by_log(vault: Path, parties) -> set[str]:
    """Return what the verified log has, and has not as purged."""
    view = read_logged(vault / LOG, [read_party(parties.camera_pub, "camera")])
    assert view.unexplained == {}
    return view.sealed.keys() - view.purged.keys()
