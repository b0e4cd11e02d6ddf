"""The report page: one HTML file that explains itself to someone who has never seen an ERC."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from sealshot.benchmarks.accuracy.erc.evaluate import FEW, Area, Line
from sealshot.benchmarks.accuracy.erc.report import (
    Evidence,
    Setting,
    by_area,
    main_area,
    row,
)

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; }
tr.first td { font-weight: 600; }
svg { max-width: 100%; height: auto; }
code, pre { background: #f4f4f4; padding: .1rem .3rem; overflow-x: auto; }
pre { padding: .6rem; }
.small { font-size: .9rem; color: #555; }
"""

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
    setting = evidence.setting
    parts = [
        "<h1>Which pictures can a face matcher use?</h1>",
        f"<p>Quality scores on {escape(setting.dataset)}, by their error-versus-reject curves.</p>",
        _short(evidence),
        "<h2>How to read the curves</h2>",
        HOW_TO_READ,
    ]
    for lines, pictures in zip(evidence.lines, figures, strict=True):
        curve = lines[0].curve
        parts += [
            f"<h2>Start at {escape(lines[0].start.label)}</h2>",
            f"<p>The threshold is set once, at distance {lines[0].start.threshold:.4f}: "
            f"{curve.errors} of {curve.comparisons} genuine comparisons fail when nothing is "
            "discarded.</p>",
            *(_inline(picture) for picture in pictures),
            _table(lines, evidence),
        ]
    parts += [_setting(evidence), _repeat(setting)]
    body = "\n".join(parts)
    path.write_text(
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Error versus reject on {escape(setting.dataset)}</title>\n"
        f"<style>{STYLE}</style>\n{body}\n</html>\n",
        encoding="utf-8",
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


def _short(evidence: Evidence) -> str:
    said = "".join(f"<li>{escape(verdict(lines))}</li>" for lines in evidence.lines)
    return f"<h2>In short</h2><ul>{said}</ul>"


def _table(lines: Sequence[Line], evidence: Evidence) -> str:
    name = lines[0].score
    heads = ["score", "pAUC(0.2)", "pAUC(0.3)", "95 % interval", "to PERFECT", "ms a face", "MMACs"]
    head = "".join(f"<th>{head}</th>" for head in [*heads, f"above {escape(name)}"])
    rows = []
    for line in by_area(lines):
        cells = [*row(line, evidence.costs), "" if line is lines[0] else _difference(line)]
        text = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f"<tr{' class=first' if line is lines[0] else ''}>{text}</tr>")
    return (
        f"<table><tr>{head}</tr>{''.join(rows)}</table>"
        '<p class="small">Milliseconds: one face at a time on this machine, reading and detection '
        "not counted. MMACs: millions of multiply-accumulates of the network. Last column: the "
        f"pAUC(0.3) above that of {escape(name)} and its 95 % interval, on the same draws of "
        f"people; where all of it is above 0, {escape(name)} is better.</p>"
    )


def _setting(evidence: Evidence) -> str:
    setting, environment = evidence.setting, evidence.environment
    lost = len(setting.faceless) + len(setting.unreadable)
    facts = {
        "pictures": f"{setting.pictures}, of {setting.people} people",
        "comparisons": f"{setting.genuine} genuine, {setting.impostor} impostor",
        "protocol": setting.protocol,
        "matcher": setting.matcher,
        "detector": setting.detector,
        "intervals": f"{setting.replicates} draws of people with replacement, seed {setting.seed}",
        "could not be used": f"{len(setting.unreadable)} files are no picture, in "
        f"{len(setting.faceless)} no face was found, {setting.lost} listed pairs are lost to that",
        "machine": f"{environment.machine}, {environment.cores} cores",
        "made": f"{environment.date}, commit {environment.commit}",
        "versions": ", ".join(f"{tool} {v}" for tool, v in environment.versions.items()),
    }
    rows = "".join(
        f"<tr><td>{k}</td><td style='text-align:left'>{escape(v)}</td></tr>"
        for k, v in facts.items()
    )
    names = ""
    if lost:
        files = [*setting.unreadable, *setting.faceless]
        shown = ", ".join(escape(file) for file in files[:20])
        names = f'<p class="small">Not used: {shown}{" ..." if len(files) > 20 else ""}</p>'
    return f"<h2>What was compared</h2><table>{rows}</table>{names}"


def _repeat(setting: Setting) -> str:
    return (
        f"<h2>To repeat it</h2><pre>{escape(setting.command)}</pre>"
        "<p>The numbers behind the curves are in <code>erc.json</code>.</p>"
    )


def inline_figure(svg: str, name: str) -> str:
    """Return an SVG as a figure of a page; its ids get ``name``, as figures must not share any."""
    for mark in ('id="', 'href="#', "url(#"):
        svg = svg.replace(mark, f"{mark}{name}-")
    return f"<figure>{svg[svg.index('<svg') :]}</figure>"


def _inline(svg: Path) -> str:
    return inline_figure(svg.read_text(encoding="utf-8"), svg.stem.replace(".", "-"))


def _difference(line: Line) -> str:
    area = main_area(line)
    return f"{area.behind:+.2f} ({area.behind_low:+.2f} to {area.behind_high:+.2f})"
