"""The report page: one HTML file that explains itself to someone who has never seen an ERC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from sealshot.benchmarks.accuracy.erc.evaluate import FEW, Area, Line
from sealshot.benchmarks.accuracy.erc.report import Evidence, by_area, main_area
from sealshot.benchmarks.conditions.environment import origin
from sealshot.benchmarks.conditions.result_file import write_output
from sealshot.benchmarks.page.figures import inline
from sealshot.benchmarks.page.html import ABSENT, bullets, facts, page, table

HOW_TO_READ = """
<p>A face matcher compares two pictures of the same person. Sometimes it says "different people":
a <em>false non-match</em>. Often one of the two pictures is to blame: blurred, turned away,
half hidden. A quality score should know such a picture when it sees it.</p>
<p>So: give every picture its quality, discard the pictures of lowest quality, and count how often
the matcher still fails on the rest. From left to right the curve discards more. <strong>A good
score makes the curve fall fast.</strong> A score that knows nothing discards at random: its curve
stays flat (dotted). The dashed line, PERFECT, discards exactly the failures: no score can be
lower.</p>
<p>The <em>partial area</em> pAUC sums a curve up in one number: its mean height while up to 20 or
30 % are discarded, over its height at the start. 1 is as good as chance; lower is better; above 1
the score discards the good pictures first. "To PERFECT" says how far from chance (0 %) to the best
possible (100 %) the score gets.</p>
<p>The 95 % interval says how far the number could move with other people: it draws people with
replacement many times and does it all again. Few failures make wide intervals.</p>
"""


def write_page(evidence: Evidence, figures: Sequence[Sequence[Path]], path: Path) -> None:
    """Write the page.

    Args:
        evidence: what was found.
        figures: a start, its SVG files; they are set into the page.
        path: the HTML file.
    """
    write_output(
        path,
        page("Which pictures can a face matcher use?", _body(evidence, figures)).encode(),
        "folder",
    )


def _body(evidence: Evidence, figures: Sequence[Sequence[Path]]) -> Iterator[str]:
    setting = evidence.setting
    dataset = escape(setting.dataset)
    yield f"<p>Quality scores on {dataset}, by their error-versus-reject curves.</p>"
    yield f"<h2>In short</h2>{bullets(escape(verdict(lines)) for lines in evidence.lines)}"
    yield f"<h2>How to read the curves</h2>{HOW_TO_READ}"
    for lines, pictures in zip(evidence.lines, figures, strict=True):
        curve = lines[0].curve
        yield f"<h2>Start at {escape(lines[0].start.label)}</h2>"
        yield (
            "<p>Two pictures whose embeddings are farther apart than "
            f"{lines[0].start.threshold:.4f} count as two people. This threshold is set once: with "
            f"it {curve.errors} of {curve.comparisons} genuine comparisons fail when nothing is "
            "discarded.</p>"
        )
        for picture in pictures:
            yield inline(picture.read_text(encoding="utf-8"), picture.stem.replace(".", "-"))
        yield _areas(lines)
    yield from _costs(evidence)
    yield from _setting(evidence)
    yield (
        f"<h2>To repeat it</h2><pre>{escape(setting.command)}</pre>"
        "<p>The numbers behind the curves are in <code>erc.json</code>.</p>"
    )


def verdict(lines: Sequence[Line]) -> str:
    """Say in words how the first score does against the others of one start."""
    first = main_area(lines[0])
    text = (
        f"From {lines[0].start.label}: while up to {100 * first.limit:.0f} % are discarded by "
        f"{lines[0].score}, the failure rate is on average {100 * first.value:.0f} % of what it "
        f"was (95 % interval {100 * first.low:.0f} to {100 * first.high:.0f}); that is "
        f"{100 * first.gained:.0f} % of the way from chance to PERFECT."
    )
    others: dict[str, list[str]] = {}
    for line in lines[1:]:
        others.setdefault(_standing(main_area(line)), []).append(line.score)
    text += "".join(f" {standing} {', '.join(names)}." for standing, names in others.items())
    if lines[0].curve.errors < FEW:
        text += f" There are only {lines[0].curve.errors} failures: this proves little."
    return text


def _standing(area: Area) -> str:
    if area.behind_low > 0:
        return "It beats"
    if area.behind_high < 0:
        return "It loses to"
    return "The data cannot tell it from"


def _areas(lines: Sequence[Line]) -> str:
    name = lines[0].score
    rows = [
        (
            f"<b>{escape(line.score)}</b>" if line is lines[0] else escape(line.score),
            *(f"{area.value:.3f} ({area.low:.2f} to {area.high:.2f})" for area in line.areas),
            f"{100 * main_area(line).gained:.0f} %",
            "" if line is lines[0] else _difference(line),
        )
        for line in by_area(lines)
    ]
    return table(
        ("score", "pAUC (0.2)", "pAUC (0.3)", "to PERFECT", f"above {name}"),
        rows,
        "In brackets: 95 % intervals. Last two columns: of the pAUC (0.3). Last: how much it is "
        f"above that of {escape(name)}, on the same draws of people; where all of the interval is "
        f"above 0, {escape(name)} is better.",
        form="close",
    )


def _costs(evidence: Evidence) -> Iterator[str]:
    rows = [
        (
            escape(name),
            ABSENT if cost.ms is None else f"{cost.ms:.2f}",
            ABSENT if cost.macs is None else f"{cost.macs / 1e6:,.1f}",
        )
        for name, cost in evidence.costs.items()
    ]
    if rows:
        yield "<h2>What a face costs</h2>"
        yield table(
            ("score", "CPU ms a face", "MMACs"),
            rows,
            "Milliseconds: one face at a time on this machine, reading and detection not counted. "
            "MMACs: millions of multiply-accumulates of the network.",
            form="close",
        )


def _setting(evidence: Evidence) -> Iterator[str]:
    setting, environment = evidence.setting, evidence.environment
    pairs = {
        "pictures": f"{setting.pictures}, of {setting.people} people",
        "comparisons": f"{setting.genuine} genuine, {setting.impostor} impostor",
        "protocol": setting.protocol,
        "matcher": setting.matcher,
        "detector": setting.detector,
        "intervals": f"{setting.replicates} draws of people with replacement, seed {setting.seed}",
        "could not be used": f"{len(setting.unreadable)} files are no picture, in "
        f"{len(setting.faceless)} no face was found, {setting.lost} listed pairs are lost to that",
        "machine": f"{environment.machine}, {environment.cores} cores",
        "made": f"{environment.date}, {origin(environment.commit, environment.versions)}",
        "versions": ", ".join(f"{tool} {v}" for tool, v in environment.versions.items()),
    }
    yield "<h2>What was compared</h2>"
    yield facts((name, escape(value)) for name, value in pairs.items())
    files = [*setting.unreadable, *setting.faceless]
    if files:
        shown = ", ".join(escape(file) for file in files[:20])
        yield f'<p class="small">Not used: {shown}{" ..." if len(files) > 20 else ""}</p>'


def _difference(line: Line) -> str:
    area = main_area(line)
    return f"{area.behind:+.2f} ({area.behind_low:+.2f} to {area.behind_high:+.2f})"
