"""The page of results, put together of a section a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from types import ModuleType

from sealshot.benchmarks.conditions.environment import origin
from sealshot.benchmarks.conditions.result_file import write_output
from sealshot.benchmarks.page.html import bullets, facts, page
from sealshot.benchmarks.report import energy, other, throughput
from sealshot.benchmarks.report.source import Source
from sealshot.runtime.errors import InputError

TITLE = "How fast, at what cost"
SECTIONS: dict[str, ModuleType] = {"throughput": throughput, "energy": energy}

HOW_TO_READ = (
    "<p>Medians; the spread is the lowest and the highest of the rounds or windows. All that is "
    "compared took turns in one run, and ratios were taken within a round: on a machine that "
    "others use too, trust ratios before rates. Point at a number to see its file and field; a "
    "number before a name is the place of that row in the file.</p>"
)


def write_report(sources: Sequence[Source], path: Path) -> None:
    """Write the page.

    Raises:
        InputError: two files have one name, a file is no result, or the page cannot be written.
    """
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise InputError("two results have the same name", hint="rename one: numbers cite names")
    try:
        text = page(TITLE, _body(sources))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"a result lacks a field or has another form: {error}",
            hint="make it again with this version of `sealshot bench`",
        ) from error
    write_output(path, text.encode())


def _body(sources: Sequence[Source]) -> Iterator[str]:
    short = [text for s in sources for text in _module(s).in_short(s)]
    yield f"<h2>In short</h2>{bullets(short)}{HOW_TO_READ}"
    absent = [(source, throughput.left_out(source)) for source in sources]
    missing = "".join(
        f"<p>{escape(source.name)}:</p>{text}" for source, text in absent if text
    ) + bullets(
        f"<b>{escape(s.kind)}</b>: {escape(s.at('/why_not'))}" for s in sources if s.at("/why_not")
    )
    yield f"<h2>What was not measured, and why</h2>{missing or '<p>Nothing was left out.</p>'}"
    for source in sources:
        machine = source.at("/environment/machine")
        heading = escape(source.kind.capitalize())
        yield f"<h2>{heading}{f', {escape(machine)}' if machine else ''}</h2>"
        yield from _module(source).section(source)
        yield from _machine(source)
    yield "<h2>The files</h2>"
    yield facts((source.name, f"SHA-256 <code>{source.sha256}</code>") for source in sources)


def _module(source: Source) -> ModuleType:
    return other if source.at("/why_not") else SECTIONS.get(source.kind, other)


def _machine(source: Source) -> Iterator[str]:
    environment = source.at("/environment")
    if not environment:
        return
    state = source.at("/conditions") or {}
    versions = environment.get("versions") or {}
    yield "<h3>Where and when</h3>"
    heat = [
        f"{escape(zone)} {source.number(f'/conditions/before/temperatures_c/{zone}', 1)} to "
        f"{source.number(f'/conditions/after/temperatures_c/{zone}', 1)} °C"
        for zone in state.get("after", {}).get("temperatures_c", {})
    ]
    clocks = [
        f"{escape(name)} {source.number(f'/conditions/before/clocks_mhz/{name}')} to "
        f"{source.number(f'/conditions/after/clocks_mhz/{name}')} MHz"
        for name in state.get("after", {}).get("clocks_mhz", {})
    ]
    yield facts(
        [
            ("machine", f"{escape(environment['machine'])}, {environment['cores']} cores"),
            ("instructions", ", ".join(map(escape, environment.get("instructions", ())))),
            ("made", escape(f"{environment['date']}, {origin(environment['commit'], versions)}")),
            ("versions", ", ".join(f"{escape(t)} {escape(v)}" for t, v in versions.items())),
            ("power mode", escape(state.get("power_mode", ""))),
            ("governor", ", ".join(map(escape, state.get("governors", ())))),
            ("heat, before to after", ", ".join(heat)),
            ("clocks, before to after", ", ".join(clocks)),
            ("cores kept busy by others", source.number("/conditions/busy_otherwise", 2)),
            (
                "time taken by the hypervisor",
                source.number("/conditions/stolen", 1, scale=100, unit=" %"),
            ),
            ("not told by this machine", ", ".join(state.get("not_told", ()))),
        ]
    )
