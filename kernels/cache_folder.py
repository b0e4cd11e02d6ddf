"""Where what takes long to make is kept: compiled kernels, plans of TensorRT, evidence."""

from __future__ import annotations

import os
from pathlib import Path

from sealshot.kernels.errors import NoCacheError

VARIABLE = "SEALSHOT_CACHE"


def cache_folder(part: str = "") -> Path:
    """Return a folder of the cache: in $SEALSHOT_CACHE, else by the XDG base directory rules.

    Args:
        part: folder in it; empty for the cache itself. It need not exist.

    Raises:
        NoCacheError: neither is set, and this user has no home.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named) / part
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if Path(xdg).is_absolute():  # a relative path is to be ignored
        return Path(xdg) / "sealshot" / part
    try:
        home = Path.home()
    except RuntimeError as error:  # no $HOME, and no entry in passwd, as in many containers
        raise NoCacheError(
            "this user has no home folder to keep a cache in",
            hint=f"name a folder: {VARIABLE}=DIR sealshot ...",
        ) from error
    return home / ".cache" / "sealshot" / part
