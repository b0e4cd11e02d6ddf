"""`--help` of every command works in the base install, and what needs an extra says which."""

import subprocess
import sys

import pytest

BLOCKED = (
    *("torch", "matplotlib", "onnx", "openvino", "triton", "tensorrt", "obstore", "pyrage"),
    *("msgspec", "paho", "prometheus_client", "shtab"),
)
ALL_HELP = """
import contextlib, io, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

BLOCKED = set(sys.argv[1:])
sys.meta_path.insert(0, Absent())
from sealshot.benchmarks import bench
from sealshot.benchmarks.accuracy.erc import command as erc
from sealshot.runtime.cli.commands.board import LAZY
from sealshot.runtime.cli.main import COMMANDS, main

below = {"bench": bench.ACTIONS, "erc": erc.COMMANDS, "board": LAZY}
commands = [[name] for name in COMMANDS]
commands += [[name, action] for name, actions in below.items() for action in actions]
for command in commands:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([*command, "--help"])
        except SystemExit as end:
            code = end.code
    if code or not out.getvalue().startswith("usage: sealshot"):
        print(" ".join(command), code, err.getvalue())
print(len(commands), "commands")
"""


def test_every_help_works_without_the_extras():
    done = subprocess.run(
        [sys.executable, "-c", ALL_HELP, *BLOCKED], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    *failed, count = done.stdout.splitlines()
    assert failed == []
    assert int(count.split()[0]) > 30


@pytest.mark.parametrize(
    ("argv", "absent", "extra"),
    [
        (["train", "faces/", "-o", "out/"], "torch", "export"),
        (["export", "rp", "-o", "out/"], "torch", "export"),
        (["board", "project"], "onnx", "bench"),
        (["bench", "report", "x.json"], "matplotlib", "bench"),
        (["inspect", "x", "-o", "out/"], "matplotlib", "bench"),
        (["serve", "cameras.toml"], "msgspec", "service"),
        (["status"], "msgspec", "service"),
    ],
)
def test_a_command_that_needs_an_extra_says_which_and_its_size(argv, absent, extra):
    code = (
        f"import sys; sys.modules['{absent}'] = None;"
        "from sealshot.runtime.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"needs {absent}" in done.stderr
    hint = " ".join(done.stderr.split())
    assert f"pip install 'sealshot[{extra}]'" in hint
    assert "MB" in hint
    assert ("pytorch.org" in hint) == (extra == "export")
    assert "Traceback" not in done.stderr
