"""What is printed to a person: the log, and progress where there is no terminal."""

from __future__ import annotations

import logging
from functools import partial

import pytest
from rich.console import Console

from sealshot.runtime.cli import terminal


def test_a_log_gets_fewer_lines_as_time_goes_on(monkeypatch, capfd) -> None:
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    with terminal.progress("watching") as bar:
        for second in range(24 * 3600):
            now[0] = float(second)
            bar.update(second)
    lines = capfd.readouterr().err.splitlines()
    assert lines[:4] == ["watching 10", "watching 30", "watching 70", "watching 150"]
    assert len(lines) == 31  # of a day
    assert int(lines[-1].split()[1]) - int(lines[-2].split()[1]) == terminal.LONGEST_LOG_S


@pytest.mark.parametrize(
    ("level", "line"),
    [(logging.WARNING, "warning: it rains: 3 mm\n"), (logging.INFO, "it rains: 3 mm\n")],
)
def test_what_is_logged_is_printed(capfd, level, line) -> None:
    logger = logging.getLogger("sealshot.weather")
    with terminal.printed_log():
        logger.log(level, "it rains: %d mm", 3)
    assert capfd.readouterr().err == line
    with terminal.printed_log():
        logging.getLogger("other.library").error("this is not ours to say")
        logger.debug("nor is this")
    logger.info("nor this, afterwards")
    assert capfd.readouterr().err == ""


def test_a_table_that_a_terminal_is_too_narrow_for_is_a_list(monkeypatch, capsys) -> None:
    columns, rows = ("camera", ">sealed", "ended"), [("cam1", "12345678", "yes"), ("cam2", "7", "")]
    printed = {}
    for width in (40, 20):
        console = partial(Console, force_terminal=True, color_system=None, width=width)
        monkeypatch.setattr("rich.console.Console", console)
        terminal.table(columns, rows)
        printed[width] = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed[40] == ["camera    sealed  ended", "cam1    12345678  yes", "cam2           7"]
    assert printed[20] == [
        *("camera  cam1", "sealed  12345678", "ended   yes", ""),
        *("camera  cam2", "sealed  7"),
    ]
