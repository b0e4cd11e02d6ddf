"""What is printed to a person: the log, and progress where there is no terminal."""

from __future__ import annotations

import logging

import pytest

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
