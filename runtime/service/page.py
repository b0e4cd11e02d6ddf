"""The status page: one file of HTML, without scripts, for a phone as for a desk, light or dark."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape

from sealshot.runtime.seal.times import format_time
from sealshot.runtime.service.state import CameraState, State, wrongs

REFRESH_S = 10

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #17803d; --bad: #b3261e; --dim: #666; }
@media (prefers-color-scheme: dark) { :root { --good: #5fd38d; --bad: #ff8a80; --dim: #aaa; } }
body { font: 16px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 72rem; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; }
p { margin: .25rem 0; } .dim { color: var(--dim); } time { white-space: nowrap; }
ul { margin: 1rem 0; padding: .75rem 1rem .75rem 2rem; border: 1px solid var(--bad);
  border-radius: .5rem; } li { margin: .2rem 0; overflow-wrap: anywhere; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; min-width: 0; }
h2 { font-size: 1.05rem; margin: 0; display: flex; gap: .5rem; justify-content: space-between;
  flex-wrap: wrap; overflow-wrap: anywhere; }
.running { color: var(--good); } .waiting, .bad { color: var(--bad); }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; margin: .5rem 0 0; }
dt { color: var(--dim); } dd { margin: 0; text-align: right; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
@media (max-width: 26rem) { main { grid-template-columns: 1fr; } }
"""


def page(state: State, now: datetime) -> str:
    """Return the page for a state.

    Args:
        state: what it shows: counts and what is wrong; no picture.
        now: by the clock that ``state`` was written with.
    """
    wrong = wrongs(state, now)
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in wrong)
    running = sum(camera.phase == "running" for camera in state.cameras)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_S}">'
        f"<title>sealshot{': ' + str(len(wrong)) + ' wrong' if wrong else ''}</title>"
        f"<style>{_STYLE}</style></head><body><header><h1>sealshot</h1>"
        f"<p>{running} of {len(state.cameras)} cameras running; "
        + (
            f'<strong class="bad">wrong: {len(wrong)}</strong></p>'
            if wrong
            else '<strong class="running">nothing is wrong</strong></p>'
        )
        + f'<p class="dim">since {_time(state.started)}; now {_time(now)}; '
        f"version {escape(state.version)}</p></header>"
        + (f'<ul aria-label="what is wrong">{items}</ul>' if wrong else "")
        + "<main>"
        + "".join(_camera(camera, now) for camera in state.cameras)
        + "</main></body></html>\n"
    )


def _camera(camera: CameraState, now: datetime) -> str:
    last, vault = camera.last_frame, camera.vault
    rows = [
        (f"{camera.phase} for", _duration(now - camera.since)),
        ("frames a second", f"{camera.fps:.1f}"),
        ("last picture", f"{_duration(now - last)} ago" if last else "none yet"),
        ("frames dropped", f"{camera.dropped:,}"),
        ("people today (UTC)", f"{camera.people_today:,}"),
        ("people since the start", f"{camera.people:,}"),
    ]
    if camera.mean_score is not None:
        rows.append(("mean score", f"{camera.mean_score:.2f}"))
    if camera.public_pictures is not None:
        rows.append(("public pictures", f"{camera.public_pictures:,}"))
    if vault is not None:
        rows += [
            ("shots in the vault", f"{vault.objects:,}"),
            ("their size", _size(vault.bytes)),
        ]
        if vault.quota_bytes:
            rows.append(("of the quota", f"{vault.bytes / vault.quota_bytes:.1%}"))
        rows += [
            ("free on its disk", _size(vault.free_bytes)),
            ("wait for upload", f"{vault.waiting:,}"),
        ]
        if vault.keys_days is not None:
            rows.append(("epoch keys", f"for {vault.keys_days:.1f} days"))
        if vault.checkpoint is not None:
            rows.append(("log signed", f"{_duration(now - vault.checkpoint)} ago"))
    cells = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    return (
        f'<section><h2><span>{escape(camera.name)}</span><span class="{camera.phase}">'
        f"{camera.phase}</span></h2><dl>{cells}</dl></section>"
    )


def _time(time: datetime) -> str:
    return f"<time>{format_time(time)}</time>"


def _duration(time: timedelta) -> str:
    seconds = max(0, round(time.total_seconds()))
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
