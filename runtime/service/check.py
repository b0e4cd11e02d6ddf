"""What cannot stand together in a configuration, and what it names in vain."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

from sealshot.runtime.errors import InputError, SealshotError
from sealshot.runtime.files import in_folder, read_regular
from sealshot.runtime.service.config import Camera, Config
from sealshot.runtime.service.decode import (
    STAND_IN,
    ConfigError,
    Problem,
    Where,
    decode,
    line_of,
    read,
)
from sealshot.runtime.service.outlets import parts_of
from sealshot.runtime.sources.redact import holds_secret

LIMIT = 4 * 1024 * 1024  # bytes

Tries = Callable[[Camera], Iterable[tuple[str, Callable[[], object]]]]
"""Gives keys of a camera, as ``public.style``, each with what raises SealshotError if what it names
is not there."""


def read_config(file: Path) -> Config:
    """Read a configuration; what its cameras name need not be there yet.

    Raises:
        ConfigError: it says what cannot be.
        InputError: it cannot be read.
    """
    return _parse(file, _read(file))


def check(file: Path, tries: Tries) -> list[Problem]:
    """Return all that is wrong with a configuration and with what it names.

    Raises:
        InputError: it cannot be read.
    """
    text = _read(file)
    try:
        reading = read(text)
    except ConfigError as error:
        return error.problems
    found, config = reading.problems, reading.config
    rules = _rules(config, file.parent, reading.wrong)
    found += [Problem(line_of(text, where), *words) for where, *words in rules]
    for name, camera in config.camera.items():
        for key, attempt in tries(camera):
            try:
                attempt()
            except SealshotError as error:
                line = line_of(text, ("camera", name, *key.split(".")))
                found.append(Problem(line, f"camera.{name}.{key}: {error.fact}", error.hint))
    for where, _, attempt in parts_of(config, file.parent):
        try:
            attempt()
        except SealshotError as error:
            name = ".".join(map(str, where))
            found.append(Problem(line_of(text, where), f"{name}: {error.fact}", error.hint))
    return sorted(found, key=lambda problem: problem.line)


def _read(file: Path) -> str:
    try:
        return read_regular(file, LIMIT, follow=True).decode()
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}",
            hint="`sealshot serve --example > cameras.toml` makes one to begin with",
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is no text", hint="write it in UTF-8") from None


def _parse(file: Path, text: str) -> Config:
    config = decode(text)
    rules = _rules(config, file.parent)
    found = [Problem(line_of(text, where), *words) for where, *words in rules]
    if found:
        raise ConfigError(sorted(found, key=lambda problem: problem.line))
    return config


def _rules(
    config: Config, base: Path, wrong: Container[Where] = ()
) -> Iterator[tuple[Where, str, str]]:
    """Yield what cannot stand together; a key that is wrong is there."""
    folders: dict[Path, str] = {}
    for name, camera in config.camera.items():
        here, title = ("camera", name), f"camera.{name}"
        default = Camera(vault=STAND_IN)
        given = {
            key
            for key in Camera.__struct_fields__
            if getattr(camera, key) != getattr(default, key) or (*here, key) in wrong
        }
        for pair in (("source", "source_file"), ("policy", "to")):
            found = [key for key in pair if key in given]
            if len(found) != 1:
                both = "not both" if found else "neither is there"
                yield (*here, *found[-1:]), f"{title}: give one of {' and '.join(pair)}, {both}", ""
        if camera.source is not None and holds_secret(camera.source):
            yield (
                (*here, "source"),
                f"{title}.source: there is a secret in it",
                "write it into a file that only the service may read, and name that in source_file",
            )
        if {"upload", "upload_file"} <= given:
            yield (*here, "upload_file"), f"{title}: give upload or upload_file, not both", ""
        for key, needed in (("retention", {"to"}), ("after_upload", {"upload", "upload_file"})):
            if key in given and not given & needed:
                yield (*here, key), f"{title}: {key} goes with {min(needed)}", ""
        if "hwaccel" in given and "sandbox" not in given:
            yield (*here, "hwaccel"), f"{title}: hwaccel goes with sandbox = false", ""
        own: list[tuple[Where, str]] = [(("vault",), camera.vault)]
        if camera.public is not None:
            own.append((("public", "folder"), camera.public.folder))
        for keys, path in own:
            if (*here, *keys) in wrong:
                continue
            key = ".".join(map(str, keys))
            try:
                folder = in_folder(base, path).resolve()
            except (InputError, OSError):
                continue  # who tries it says so
            for other, whose in folders.items():
                if folder.is_relative_to(other) or other.is_relative_to(folder):
                    words = "it is that of" if folder == other else "one would lie in the other:"
                    yield (
                        (*here, *keys),
                        f"{title}.{key}: {words} {whose}",
                        "give each camera a vault of its own, and each public stream a folder",
                    )
            folders.setdefault(folder, title)
    for number, hook in enumerate(config.webhook):
        given = {
            key
            for key in ("url", "url_file")
            if getattr(hook, key) is not None or ("webhook", number, key) in wrong
        }
        if len(given) != 1:
            yield ("webhook", number), f"webhook.{number}: give one of url and url_file", ""
        if hook.url is not None and holds_secret(hook.url):
            yield (
                ("webhook", number, "url"),
                f"webhook.{number}.url: there is a secret in it",
                "write it into a file, and name that in url_file",
            )
