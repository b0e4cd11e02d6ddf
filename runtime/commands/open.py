"""`sealshot open`: open sealed shots with an identity."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from sealshot.runtime.arguments import Arguments
from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import write_atomic
from sealshot.runtime.seal import age
from sealshot.runtime.seal.envelope import unseal
from sealshot.runtime.seal.keys import read_identities
from sealshot.runtime.seal.payload import Metadata, Opened
from sealshot.runtime.terminal import fail, note, progress, say_json, table
from sealshot.runtime.vault import SUFFIX

USAGE = """\
usage: sealshot open OBJECT... --identity FILE -o DIR [--force] [--json]

Open sealed shots. Of each OBJECT, the picture (.jpg or .png), what is known about it (.json) and
its clip (.mjpeg) are written to DIR, readable by you only. What cannot be opened is reported, the
rest is opened, and the exit code is 2.

OBJECT           a sealed object, or a vault (or a day of it) for all that is in it
--identity FILE  the private key; - reads it from standard input; may be given several times
-o DIR           the folder to write to; made where it is absent
--force          overwrite files in DIR
--json           print what was opened, and what was not, for machines

example:
  sealshot open vault/ --identity authority.key -o out/
"""

HEAD_BYTES = 4096
OBJECT_LIMIT = 1024 * 1024 * 1024  # bytes; far above a shot with a long clip


@dataclass(frozen=True)
class Result:
    """What became of one object."""

    path: Path
    metadata: Metadata
    files: tuple[Path, ...]
    """What was written, picture first."""


def main(argv: list[str]) -> int:
    """Run `sealshot open`."""
    arguments = Arguments("open", USAGE)
    arguments.add_argument("objects", metavar="OBJECT", nargs="+", type=Path)
    arguments.add_argument("--identity", action="append", required=True, metavar="FILE")
    arguments.add_argument("-o", dest="folder", type=Path, required=True, metavar="DIR")
    arguments.add_argument("--force", action="store_true")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args(argv)

    identities = [identity for file in given.identity for identity in read_identities(file)]
    objects = list(dict.fromkeys(path for named in given.objects for path in _expand(named)))
    _make_folder(given.folder)
    opened: list[Result] = []
    failed: list[tuple[Path, InputError]] = []
    names: set[str] = set()
    with progress("opening", len(objects)) as bar:
        for number, path in enumerate(objects):
            bar.update(number)
            name = path.name.removesuffix(SUFFIX)
            try:
                shot = unseal(_read(path), identities)
                files = _write(shot, given.folder, name, force=given.force and name not in names)
            except InputError as error:
                failed.append((path, error))
            else:
                opened.append(Result(path, shot.metadata, files))
                names.add(name)

    for path, why in failed:
        fail(InputError(f"{path}: {why.fact}", hint=why.hint))
    if given.json:
        say_json(
            {
                "opened": [
                    {
                        "object": str(result.path),
                        "files": [str(file) for file in result.files],
                        **asdict(result.metadata),
                    }
                    for result in opened
                ],
                "failed": [
                    {"object": str(path), "error": why.fact, "hint": why.hint}
                    for path, why in failed
                ],
            }
        )
    elif opened:
        table(("picture", ">track", "taken at", ">score", ">percentile"), map(_row, opened))
    note(f"{len(opened)} of {len(objects)} opened")
    return 2 if failed else 0


def _expand(path: Path) -> list[Path]:
    """Return the objects that an argument names: itself, or all in a vault or a day of it."""
    if not path.is_dir():
        return [path]
    found = sorted([*path.glob(f"*{SUFFIX}"), *path.glob(f"*/*{SUFFIX}")])
    if not found:
        raise InputError(f"there is no sealed object in {path}", hint="give a vault or an object")
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            sealed = file.read(HEAD_BYTES)
            if sealed.startswith(age.VERSION_LINE):  # else it may be anything, of any size
                sealed += file.read(OBJECT_LIMIT)
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", hint="check the path") from error
    if len(sealed) > OBJECT_LIMIT:
        raise InputError("it is larger than any sealed shot", hint="`age -d -i KEY FILE` opens it")
    return sealed


def _write(shot: Opened, folder: Path, name: str, *, force: bool) -> tuple[Path, ...]:
    """Write the parts of a shot, all or none, readable by the owner only."""
    parts = {f"{name}.{shot.metadata.picture}": shot.picture}
    if shot.clip:
        parts[f"{name}.mjpeg"] = shot.clip
    parts[f"{name}.json"] = shot.metadata_json
    there = [part for part in parts if os.path.lexists(folder / part)]
    if there and not force:
        raise InputError(
            f"{folder / there[0]} exists", hint="--force overwrites it, -o gives another folder"
        )
    written: list[Path] = []
    try:
        for part, data in parts.items():
            write_atomic(folder / part, data, mode=0o600)
            written.append(folder / part)
    except OSError as error:
        for file in written:
            file.unlink()
        raise _cannot_write(folder, error) from error
    return tuple(written)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: Path, error: OSError) -> SealshotError:
    return SealshotError(
        f"cannot write to {folder}: {error.strerror}", hint="give another folder with -o"
    )


def _row(result: Result) -> tuple[str, ...]:
    known = result.metadata
    return (
        str(result.files[0]),
        str(known.track),
        known.utc,
        f"{known.score:.2f}",
        f"{known.percentile:.1f}",
    )
