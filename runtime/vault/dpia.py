"""A draft of a data protection impact assessment (GDPR article 35, LED article 27), as a page.

What a policy and verified logs say is filled in. What no program can know is marked: it is to be
answered by whoever answers for the cameras, and checked by a lawyer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape

from sealshot import __version__
from sealshot.runtime.seal.page import write_html, write_table
from sealshot.runtime.seal.party import Party
from sealshot.runtime.seal.policy import Policy
from sealshot.runtime.seal.times import format_time
from sealshot.runtime.vault.record import BETTER
from sealshot.runtime.vault.report import CameraReport, PartyReport, Period

LONG = timedelta(days=30)
"""Above it a retention time is marked as one to be argued for; no law names a number of days."""

STYLE = """\
body { max-width: 50em; }
th { width: 15em; }
.ask { border-left: 4px solid #b00; padding: 0.3em 0.8em; margin: 0.8em 0; background: #fdf3f3; }
.ask::before { content: "To be answered: "; font-weight: bold; }
.law { border-left: 4px solid #06c; padding: 0.3em 0.8em; margin: 0.8em 0; background: #f2f7fd; }
.law::before { content: "A lawyer checks: "; font-weight: bold; }
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What the logs of a period say."""

    period: Period
    cameras: Mapping[str, CameraReport] = field(default_factory=dict)
    parties: Mapping[str, tuple[Party, PartyReport]] = field(default_factory=dict)


def write_dpia(policy: Policy, cameras: Sequence[Party], told: Told, now: datetime) -> str:
    """Return the draft (HTML).

    Args:
        policy: of the cameras.
        cameras: those that are known.
        told: what verified logs say; without any, that part says so.
        now: when it is written.
    """
    body = [
        "<h1>Data protection impact assessment: a draft</h1>",
        "<p>For GDPR article 35(7) or LED article 27(2), written by sealshot "
        f"{escape(__version__)} at {format_time(now)} from the policy <code>{policy.digest}</code>."
        " What is marked red no program can know: whoever answers for the cameras writes it. What "
        "is marked blue a lawyer checks. The rest is what the software does under this policy, as "
        "long as everybody runs it as it is.</p>",
        *_processing(policy, cameras),
        *_necessity(policy),
        *_risks(policy),
        *_measures(policy),
        *_in_numbers(told),
        *_decision(),
    ]
    return write_html("Impact assessment: draft", STYLE, "\n".join(body))


def _processing(policy: Policy, cameras: Sequence[Party]) -> list[str]:
    opens = [f"{one.name} (authority)" for one in policy.authorities]
    return [
        "<h2>1. The processing and its purposes (35(7)(a))</h2>",
        write_table(
            ("What is filmed", _names(cameras) or "cameras of this policy; none was named here"),
            ("What is kept", "one picture of each person's face, the best by its usability; video "
             "only where `--clip` or `--public` was chosen"),
            ("What is never made", "identities, templates of faces, comparisons, a search"),
            ("How long", f"{policy.retention} after the end of the {policy.epoch} in which a shot "
             "was sealed; longer only under a signed legal hold with an end"),
            ("Who can open", f"any {policy.quorum} of {', '.join(opens)}, together with "
             f"{policy.custodian.name} (custodian), under a signed warrant"),
            ("Who receives", "the investigator whom a warrant names, and nobody else"),
        ),
        _ask("controller, processors (article 28) and data protection officer, with addresses"),
        _ask("where each camera hangs and what it sees; how many people pass, children among them"),
        _ask("the purposes, each in a sentence that a passer-by understands"),
        _ask("where vaults, logs and uploaded copies lie, in which countries"),
        _law("the legal basis (GDPR articles 6 and, if faces are biometric data here, 9; LED "
             "articles 8 and 10), and the national law on video surveillance"),
        _law("whether an authority of this policy may order and open at all, and whether a warrant "
             "in the sense of sealshot is an order in the sense of the law"),
    ]  # fmt: skip


def _necessity(policy: Policy) -> list[str]:
    asked = [_law("whether the purposes can be reached with less: fewer cameras, hours, masks")]
    if policy.retention_time > LONG:
        asked.append(
            _law(f"why {policy.retention} are needed: that is longer than 30 days, and has to be "
                 "argued for")
        )  # fmt: skip
    return [
        "<h2>2. Necessity and proportionality (35(7)(b))</h2>",
        write_table(
            ("Minimisation, 5(1)(c)", "a picture a person instead of video; privacy masks and "
             "hours (`sealshot serve`)"),
            ("Storage limitation, 5(1)(e)", f"after {policy.retention} the key of the "
             f"{policy.epoch} is destroyed, which ends every copy of its shots"),
            ("Purpose limitation, 5(1)(b)", "nothing opens without a warrant with case, cameras, "
             "times and investigator"),
            ("Access, erasure, restriction, 15 to 18", "nobody can tell whose shot is whose "
             "without opening it; a warrant with the person's times opens, holds or erases"),
        ),
        _ask("how people are told that they are filmed, and how they ask for their rights"),
        *asked,
    ]  # fmt: skip


def _risks(policy: Policy) -> list[str]:
    alone = "one authority and the custodian suffice" if policy.quorum == 1 else (
        f"{policy.quorum} authorities and the custodian have to act together"
    )  # fmt: skip
    quantum = "post-quantum keys are asked for" if policy.is_post_quantum else (
        "CLASSICAL KEYS: who copies shots today may open them with a quantum computer one day"
    )  # fmt: skip
    rows = (
        ("Somebody steals a camera or its storage", "sealed shots that it cannot open; camera, "
         "hour and size are readable"),
        ("An authority opens without reason", f"{alone}; each answer is in a log before it leaves"),
        ("A custodian keeps a key beyond its time", "its log then has no `destroyed`; a quorum is "
         "still needed"),
        ("Evidence is forged or removed", "each shot is signed, its hash is logged, deletions have "
         "reasons that `vault verify` checks"),
        ("Sealed shots are collected for later", quantum),
        ("An investigator keeps or passes on what was opened", "nothing technical"),
        ("The score prefers some people's faces", "it chooses among pictures of one person and "
         "drops nobody; what was measured is in the model card"),
    )  # fmt: skip
    return [
        "<h2>3. Risks to the people filmed (35(7)(c))</h2>",
        write_table(*rows),
        _ask("for each: how likely, how grave, for whom; and the risks of this place that are not "
             "in the list"),
    ]  # fmt: skip


def _measures(policy: Policy) -> list[str]:
    asked = []
    if policy.quorum == 1:
        asked.append(_law("whether one authority alone may open (the quorum is 1)"))
    if not policy.is_post_quantum:
        asked.append(_ask("why the authorities' keys are classical, and until when"))
    return [
        "<h2>4. Measures (35(7)(d))</h2>",
        write_table(
            ("Quorum", f"{policy.quorum} of {len(policy.authorities)} authorities, and the "
             "custodian"),
            ("Keys", "post-quantum (ML-KEM-768 with X25519)" if policy.is_post_quantum
             else "classical (X25519)"),
            *((one.name, str(one.verify_key)) for one in policy.authorities),
            (policy.custodian.name, str(policy.custodian.verify_key)),
            ("Epoch keys are published at", policy.epoch_keys),
        ),
        "<p>What each adversary gets, which test shows it, and what nothing covers, is in "
        "THREATS.md of the package; which article is answered by what, in COMPLIANCE.md.</p>",
        _ask("who the authorities are, that none of them can direct the others, and where they "
             "keep their keys"),
        _ask("where checkpoints of the logs are kept, and who witnesses them"),
        _ask("who looks at `sealshot report` and `sealshot vault verify`, and how often"),
        *asked,
    ]  # fmt: skip


def _in_numbers(told: Told) -> list[str]:
    period = f"{format_time(told.period.start)} to {format_time(told.period.end)}"
    head = "<h2>5. What the logs say</h2>"
    if not told.cameras and not told.parties:
        return [head, "<p>No log was given: `sealshot report LOG... --dpia` fills this in.</p>"]
    rows = [("Period", period)]
    for name, one in told.cameras.items():
        gone = {reason: count for reason, count in one.purged.items() if reason != BETTER}
        what = ", ".join(f"{reason} {count}" for reason, count in gone.items()) or "none"
        rows.append(
            (name, f"watched {one.watched} of {one.hours} hours; {one.sealed} "
             f"shot{'s' * (one.sealed != 1)} sealed, "
             f"{one.there} there; deleted: {what}; {one.over} beyond their time")
        )  # fmt: skip
    for name, (party, report) in told.parties.items():
        shots = sum(case.shots for case in report.answered)
        what = f"shots answered for: {shots}; warrants: {len(report.answered)}"
        if party.role == "custodian":
            what += f"; keys destroyed on time: {report.destroyed} of {report.due}"
        rows.append((name, what + f"; refusals: {sum(report.refused.values())}"))
    return [head, write_table(*rows)]


def _decision() -> list[str]:
    return [
        "<h2>6. Views, advice, decision</h2>",
        _ask("the views of those who are filmed or of their representatives (35(9))"),
        _ask("the advice of the data protection officer (35(2)), and what became of it"),
        _law("whether a high risk remains, so that the supervisory authority is consulted first "
             "(article 36; LED article 28)"),
        _law("the AI Act: whether the whole system, with what investigators use on opened "
             "pictures, is high-risk (annex III), and a fundamental rights assessment due "
             "(article 27)"),
        _ask("decision, date, name; and when this is looked at again (35(11))"),
    ]  # fmt: skip


def _names(cameras: Sequence[Party]) -> str:
    return ", ".join(f"{one.name} ({one.verify_key})" for one in cameras)


def _ask(what: str) -> str:
    return f'<p class="ask">{escape(what)}</p>'


def _law(what: str) -> str:
    return f'<p class="law">{escape(what)}</p>'
