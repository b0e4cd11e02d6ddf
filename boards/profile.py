"""One board, as its TOML file describes it. The reader is strict: an unknown key is an error.

A fact is a value, who says so, and whether that was checked::

    [sources]
    guide = "title, version, how it reached this file"

    [compute]
    memory_gb_s = { value = 68, source = "guide", verified = false }

``verified`` means: read in the maker's own document or file, or measured, by someone who then
wrote it here. What reached the file at second hand is not verified, however well known.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

KINDS = ("jetson", "gpu", "cpu", "fpga")
ARCHITECTURES = ("aarch64", "x86_64", "none")
LINKS = ("uart", "spi")
PLACEHOLDERS = {"csi": "{sensor}", "rtsp": "{address}", "v4l2": "{device}"}


class ProfileError(ValueError):
    """A board's file is malformed."""


@dataclass(frozen=True)
class Fact(Generic[T]):
    """A value, and why anyone should believe it."""

    value: T
    source: str
    verified: bool


@dataclass(frozen=True)
class Compute:
    """What the accelerator reaches at most, dense; a multiply-accumulate is 2 operations.

    The rates are those of the highest clocks, for one number format each. Absent is unknown, or not
    there: a rate that a board lacks is never guessed from another.
    """

    sm: Fact[str] | None = None
    """CUDA compute capability."""
    cuda_cores: Fact[float] | None = None
    gpu_sms: Fact[float] | None = None
    """Streaming multiprocessors."""
    gpu_mhz: Fact[float] | None = None
    fp32_tflops: Fact[float] | None = None
    fp16_tflops: Fact[float] | None = None
    int8_tops: Fact[float] | None = None
    """Of the GPU or the one accelerator that a graph runs on; DLAs not counted."""
    memory_gb_s: Fact[float] | None = None
    memory_gb: Fact[float] | None = None
    dla: Fact[float] | None = None
    """Deep-learning accelerators beside the GPU."""
    idle_w: Fact[float] | None = None
    """Draw of the whole board at rest."""


@dataclass(frozen=True)
class Fpga:
    """The programmable logic, and how it is spoken to."""

    part: Fact[str]
    """With speed and package, as the maker writes it."""
    luts: Fact[float]
    block_rams: Fact[float]
    block_ram_kbit: Fact[float]
    """Of one, parity included."""
    multipliers: Fact[float]
    """18 x 18 bits or wider."""
    links: tuple[str, ...] = ()
    """Of :data:`LINKS`, those that a bitstream of ours serves; none: no engine for this board."""


@dataclass(frozen=True)
class Software:
    """One release of the board's software that sealshot may meet."""

    jetpack: str
    l4t: tuple[str, ...]
    """Releases, as prefixes: ``36.4`` is any 36.4.x."""
    cuda: str
    tensorrt: str
    python: str
    source: str
    verified: bool


@dataclass(frozen=True)
class PowerMode:
    """One power mode of ``nvpmodel``, or the power limit of a card. None: no cap, or not known."""

    name: str
    id: int | None
    watts: float | None
    """Budget."""
    gpu_mhz: float | None
    gpu_sms: float | None
    memory_gb_s: float | None
    source: str
    verified: bool


@dataclass(frozen=True)
class Rail:
    """One channel of the board's power monitor."""

    label: str
    total: bool
    """Whether it carries all that the module draws."""
    source: str
    verified: bool


@dataclass(frozen=True)
class Camera:
    """GStreamer pipelines that end in BGR pictures; None where the board needs none of its own."""

    csi: Fact[str] | None = None
    """With ``{sensor}``."""
    rtsp: Fact[str] | None = None
    """With ``{address}``, a quoted string."""
    v4l2: Fact[str] | None = None
    """With ``{device}``, a quoted string."""


@dataclass(frozen=True)
class Signs:
    """How the board is recognised."""

    modules: tuple[str, ...] = ()
    """Part numbers of its module in the device tree: ``p3767-0005``."""
    models: tuple[str, ...] = ()
    """Ends of the device tree's model, or of the GPU's name, where no part number is known."""
    mark: str = ""
    """A word that must also stand in the device tree or in a power mode's name: ``super``."""


@dataclass(frozen=True)
class Board:
    """One board."""

    name: str
    title: str
    kind: str
    architecture: str
    on_board: str
    """Date of a run of `sealshot board check` on such a board; empty: never."""
    note: str
    compute: Compute
    software: tuple[Software, ...]
    power_modes: tuple[PowerMode, ...]
    rails: tuple[Rail, ...]
    camera: Camera
    signs: Signs
    fpga: Fpga | None = None
    """None where it has no programmable logic, or none that matters here."""


@cache
def boards() -> dict[str, Board]:
    """Return the profiles that ship, by name.

    Raises:
        ProfileError: a profile is malformed.
    """
    return {path.stem: read_board(path) for path in sorted(Path(__file__).parent.glob("*.toml"))}


def read_board(path: Path) -> Board:
    """Read a profile.

    Raises:
        ProfileError: it is missing, no TOML, or does not keep to the schema above.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProfileError(f"{path}: {error}") from None
    try:
        return _board(path.stem, raw)
    except ProfileError as error:
        raise ProfileError(f"{path.name}: {error}") from None


def _board(name: str, raw: Mapping[str, Any]) -> Board:
    tables = ("sources", "detect", "compute", "fpga", "software", "power_modes", "rails", "camera")
    _only(raw, ("title", "kind", "architecture", "on_board", "note", *tables), "the file")
    sources = raw.get("sources", {})
    if not isinstance(sources, dict) or not all(isinstance(v, str) for v in sources.values()):
        raise ProfileError("[sources] is not a table of texts")
    kind, architecture = _text(raw, "kind", "the file"), _text(raw, "architecture", "the file")
    if kind not in KINDS or architecture not in ARCHITECTURES:
        raise ProfileError(f"kind {kind!r} or architecture {architecture!r} is not known")
    board = Board(
        name=name,
        title=_text(raw, "title", "the file"),
        kind=kind,
        architecture=architecture,
        on_board=_text(raw, "on_board", "the file", empty=True),
        note=_text(raw, "note", "the file", empty=True),
        compute=_compute(_table(raw, "compute"), sources),
        software=tuple(_software(row, sources) for row in _rows(raw, "software")),
        power_modes=tuple(_power_mode(row, sources) for row in _rows(raw, "power_modes")),
        rails=tuple(_rail(row, sources) for row in _rows(raw, "rails")),
        camera=_camera(_table(raw, "camera"), sources),
        signs=_signs(_table(raw, "detect")),
        fpga=_fpga(_table(raw, "fpga"), sources) if "fpga" in raw else None,
    )
    ids = [mode.id for mode in board.power_modes if mode.id is not None]
    if len(ids) != len(set(ids)):
        raise ProfileError("two power modes have one id")
    return board


def _compute(raw: Mapping[str, Any], sources: Mapping[str, str]) -> Compute:
    _only(raw, [field.name for field in fields(Compute)], "[compute]")
    facts: dict[str, Any] = {}
    for key in raw:
        fact = _fact(raw, key, sources)
        if key == "sm":
            if not isinstance(fact.value, str) or not re.fullmatch(r"\d+\.\d", fact.value):
                raise ProfileError(f"[compute] sm: {fact.value!r} is not a text such as '8.7'")
        else:
            _number(fact.value, f"[compute] {key}", zero=key == "dla")
        facts[key] = fact
    return Compute(**facts)


def _fpga(raw: Mapping[str, Any], sources: Mapping[str, str]) -> Fpga:
    names = [field.name for field in fields(Fpga)]
    _only(raw, names, "[fpga]")
    if missing := [name for name in names[:-1] if name not in raw]:
        raise ProfileError(f"[fpga] has no {', '.join(missing)}")
    facts = {name: _fact(raw, name, sources) for name in names[:-1]}
    if not isinstance(facts["part"].value, str) or not facts["part"].value:
        raise ProfileError("[fpga] part is not a text")
    for name in names[1:-1]:
        _number(facts[name].value, f"[fpga] {name}")
    links = _texts(raw, "links", "[fpga]")
    if not set(links) <= set(LINKS):
        raise ProfileError(f"[fpga] links: not all of them are {', '.join(LINKS)}")
    return Fpga(**facts, links=links)


def _camera(raw: Mapping[str, Any], sources: Mapping[str, str]) -> Camera:
    _only(raw, PLACEHOLDERS, "[camera]")
    facts = {key: _fact(raw, key, sources) for key in raw}
    for key, fact in facts.items():
        if not isinstance(fact.value, str) or fact.value.count(PLACEHOLDERS[key]) != 1:
            raise ProfileError(f"[camera] {key} does not hold {PLACEHOLDERS[key]} once")
    return Camera(**facts)


def _signs(raw: Mapping[str, Any]) -> Signs:
    _only(raw, [field.name for field in fields(Signs)], "[detect]")
    return Signs(
        modules=_texts(raw, "modules", "[detect]"),
        models=_texts(raw, "models", "[detect]"),
        mark=_text(raw, "mark", "[detect]", empty=True),
    )


def _software(raw: Mapping[str, Any], sources: Mapping[str, str]) -> Software:
    where = "[[software]]"
    _only(raw, [field.name for field in fields(Software)], where)
    jetpack, cuda, tensorrt, python = (
        _text(raw, key, where) for key in ("jetpack", "cuda", "tensorrt", "python")
    )
    l4t = _texts(raw, "l4t", where)
    return Software(jetpack, l4t, cuda, tensorrt, python, *_trust(raw, where, sources))


def _power_mode(raw: Mapping[str, Any], sources: Mapping[str, str]) -> PowerMode:
    where = "[[power_modes]]"
    _only(raw, [field.name for field in fields(PowerMode)], where)
    number = raw.get("id")
    if number is not None and (type(number) is not int or number < 0):
        raise ProfileError(f"{where} id: {number!r} is not a whole number")
    watts, mhz, sms, gb_s = (
        _number(raw[key], f"{where} {key}") if key in raw else None
        for key in ("watts", "gpu_mhz", "gpu_sms", "memory_gb_s")
    )
    name = _text(raw, "name", where)
    return PowerMode(name, number, watts, mhz, sms, gb_s, *_trust(raw, where, sources))


def _rail(raw: Mapping[str, Any], sources: Mapping[str, str]) -> Rail:
    where = "[[rails]]"
    _only(raw, [field.name for field in fields(Rail)], where)
    label, total = _text(raw, "label", where), _bool(raw, "total", where)
    return Rail(label, total, *_trust(raw, where, sources))


def _fact(raw: Mapping[str, Any], key: str, sources: Mapping[str, str]) -> Fact[Any]:
    row = raw[key]
    if not isinstance(row, dict):
        raise ProfileError(f"{key} is not {{ value = ..., source = ..., verified = ... }}")
    _only(row, ("value", "source", "verified"), key)
    if "value" not in row:
        raise ProfileError(f"{key} has no value")
    return Fact(row["value"], *_trust(row, key, sources))


def _trust(raw: Mapping[str, Any], where: str, sources: Mapping[str, str]) -> tuple[str, bool]:
    source = _text(raw, "source", where)
    if source not in sources:
        raise ProfileError(f"{where}: the source {source!r} is not under [sources]")
    return sources[source], _bool(raw, "verified", where)


def _only(raw: Mapping[str, Any], known: Any, where: str) -> None:
    unknown = sorted(set(raw) - set(known))
    if unknown:
        raise ProfileError(f"{where} has unknown keys: {', '.join(unknown)}")


def _table(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = raw.get(key, {})
    if not isinstance(table, dict):
        raise ProfileError(f"[{key}] is not a table")
    return table


def _rows(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    rows = raw.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProfileError(f"[[{key}]] is not a list of tables")
    return rows


def _text(raw: Mapping[str, Any], key: str, where: str, *, empty: bool = False) -> str:
    value = raw.get(key, "")
    if not isinstance(value, str) or not (empty or value):
        raise ProfileError(f"{where}: {key} is not a text")
    return value


def _texts(raw: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    values = raw.get(key, [])
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise ProfileError(f"{where}: {key} is not a list of texts")
    return tuple(values)


def _bool(raw: Mapping[str, Any], key: str, where: str) -> bool:
    value = raw.get(key)
    if not isinstance(value, bool):
        raise ProfileError(f"{where}: {key} is not true or false")
    return value


def _number(value: object, where: str, *, zero: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProfileError(f"{where}: {value!r} is not a number")
    if not (0 < value < float("inf") or (zero and value == 0)):
        raise ProfileError(f"{where}: {value!r} is not above 0")
    return float(value)
