"""The stop token: what a signal does where it is heeded, and where not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from sealshot.runtime.pipeline import stop as module
from sealshot.runtime.pipeline.stop import SIGNALS, Stop

ALL = (*SIGNALS, signal.SIGHUP)


@pytest.mark.parametrize("number", ALL)
def test_a_signal_sets_it_where_it_is_heeded(number) -> None:
    stop = Stop()
    with stop.on_signals(ALL), stop.heeded():
        assert not stop.is_set()
        signal.raise_signal(number)
        assert stop.is_set()
        signal.raise_signal(number)  # a supervisor that says it twice, or in two ways


@pytest.mark.parametrize("number", ALL)
def test_a_signal_interrupts_where_nobody_heeds_it(number) -> None:
    stop = Stop()
    with stop.on_signals(ALL):
        with stop.heeded():
            pass
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert not stop.is_set()


@pytest.mark.parametrize("number", ALL)
def test_only_a_later_ctrl_c_interrupts(monkeypatch, number) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)
    stop = Stop()
    with stop.on_signals(ALL), stop.heeded():
        signal.raise_signal(number)
        if number == signal.SIGINT:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        else:
            signal.raise_signal(number)


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in ALL]
    with Stop().on_signals(ALL):
        assert [signal.getsignal(number) for number in ALL] != before
    assert [signal.getsignal(number) for number in ALL] == before


def test_below_nohup_a_closed_terminal_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = Stop()
        with stop.on_signals(ALL), stop.heeded():
            signal.raise_signal(signal.SIGHUP)
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_leaves_signals_alone() -> None:
    before, inside = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with Stop().on_signals():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


def test_ctrl_c_while_the_program_is_being_imported_is_no_traceback() -> None:
    """Stop it in the middle of its heaviest import: there is no better moment for it."""
    code = (
        "import builtins, os, signal, sys\n"
        "from sealshot.runtime.cli.main import main\n"
        "real = builtins.__import__\n"
        "def hooked(name, *args, **options):\n"
        "    if name.startswith('rich'):\n"
        "        builtins.__import__ = real\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    return real(name, *args, **options)\n"
        "builtins.__import__ = hooked\n"
        "assert not any(name.startswith(('rich', 'numpy', 'cv2')) for name in sys.modules)\n"
        "sys.exit(main(['run', '--help']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
