"""What takes long is computed once: arrays in a folder, each file named after what it depends on.

The files hold face crops, landmarks and embeddings: the folder is readable by its owner only.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.cli.terminal import warn
from sealshot.runtime.errors import InputError
from sealshot.runtime.files import cache_folder, write_atomic

Arrays = Mapping[str, NDArray[Any]]


class Cache:
    """A folder of computed arrays; see :func:`key` for what names them."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, made if absent.

        Raises:
            InputError: the folder cannot be made.
        """
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the cache folder {folder} cannot be made: {error.strerror}",
                hint="name another with --cache",
            ) from error

    def get(self, kind: str, name: str, make: Callable[[], Arrays]) -> Arrays:
        """Return the arrays ``name`` of a ``kind``; ``make`` computes what is absent."""
        path = self.folder / f"{kind}-{name}.npz"
        if path.is_file():
            try:
                with np.load(path, allow_pickle=False) as kept:
                    return {k: kept[k] for k in kept.files}
            except (ValueError, OSError, EOFError, zipfile.BadZipFile):
                warn(f"{path} is damaged and is computed again")
        arrays = make()
        out = io.BytesIO()
        np.savez(out, **dict(arrays))  # type: ignore[arg-type]
        write_atomic(path, out.getvalue(), mode=0o600)
        return arrays


def open_cache(named: Path | None) -> Cache:
    """Open the folder that a user named, or `evidence` in the cache of this user.

    Raises:
        InputError: the folder cannot be made, or this user has none.
    """
    return Cache(named or cache_folder("evidence"))


def key(*parts: object) -> str:
    """Name a result after all that it depends on: 20 hexadecimal digits.

    Args:
        parts: anything that JSON can hold.
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", hint="check the path"
        ) from error
