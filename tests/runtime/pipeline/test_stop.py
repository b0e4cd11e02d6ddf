"""The stop token: what a signal does where it is heeded, and where not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

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


@pytest.mark.parametrize("module", ["cli.main", "errors", "cli.commands.run"])
def test_ctrl_c_while_the_program_is_being_imported_is_no_traceback(module: str) -> None:
    """Stop it in the middle of an import: there is no better moment for it."""
    module = f"sealshot.runtime.{module}"
    code = (
        "import signal, sys\n"
        "from sealshot.runtime.cli.start import main\n"
        f"assert {module!r} not in sys.modules\n"
        "class Interrupter:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupter())\n"
        "sys.argv = ['sealshot', 'run', '--help']\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_ctrl_c_of_which_a_library_makes_an_import_error_is_no_traceback() -> None:
    """As NumPy does, where a command loads it once it runs."""
    code = (
        "import signal, sys\n"
        "from sealshot.runtime.cli import main as program\n"
        "from sealshot.runtime.cli.commands import show_env\n"
        "def loading(argv):\n"
        "    try:\n"
        "        if argv:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "    finally:\n"
        "        raise ImportError('initialization failed')\n"
        "show_env.main = loading\n"
        "assert program.main(['show-env', 'x']) == 130\n"
        "program.main(['show-env'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    first, *others = done.stderr.splitlines()
    assert (done.returncode, first, others[-1]) == (
        1,
        "interrupted",
        "ImportError: initialization failed",
    )


def test_nothing_slow_is_imported_before_ctrl_c_is_handled() -> None:
    code = (
        "import os, signal, sys, types, __future__\n"
        "before = set(sys.modules)\n"
        "import sealshot.runtime.cli.start\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    packages = ["sealshot", "sealshot.runtime", "sealshot.runtime.cli"]
    assert done.stdout.split() == [*packages, "sealshot.runtime.cli.start"]


def test_the_installed_program_and_the_module_begin_there() -> None:
    root = Path(__file__).parents[3]
    entry = 'sealshot = "sealshot.runtime.cli.start:main"\n'
    assert entry in (root / "pyproject.toml").read_text()
    module = (root / ".package" / "sealshot" / "__main__.py").read_text()
    assert "from sealshot.runtime.cli.start import main\n" in module
