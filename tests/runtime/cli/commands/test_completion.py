"""Completion in a real shell, and a manual page that has all commands."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from sealshot.runtime.cli.arguments import arguments_of
from sealshot.runtime.cli.commands.vault import main as vault
from sealshot.runtime.cli.main import COMMANDS, main


def printed(what: str, capsys) -> str:
    assert main(["completion", what]) == 0
    return capsys.readouterr().out


ASK = """
source "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
_shtab_sealshot sealshot "${@: -1}" "${@: -2:1}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_bash_completes_commands_actions_and_options(tmp_path, capsys) -> None:
    script = tmp_path / "sealshot"
    script.write_text(printed("bash", capsys))

    def completed(*words: str) -> set[str]:
        command = ["bash", "-c", ASK, "bash", str(script), "sealshot", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return set(done.stdout.split())

    assert completed("ser") == {"serve"}
    assert completed("vault", "") >= {"list", "verify", "holds"}
    assert completed("vault", "upload", "--af") == {"--after-upload"}
    assert completed("run", "--still") == {"--stills"}
    assert completed("run", "--emit", "") == {"end", "timely", "live"}


def test_the_manual_has_each_command_and_nothing_that_roff_minds(tmp_path, capsys) -> None:
    text = printed("man", capsys)
    assert all(f".SH {name.upper()}\n" in text for name in COMMANDS)
    assert "sealshot run SOURCE \\-\\-policy FILE" in text
    if groff := shutil.which("groff"):
        page = tmp_path / "sealshot.1"
        page.write_text(text)
        done = subprocess.run(
            [groff, "-man", "-ww", "-z", "-Tutf8", str(page)], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_to_ask_for_arguments_does_nothing_else(tmp_path) -> None:
    arguments = arguments_of(vault, ["purge", str(tmp_path)])
    assert arguments.prog == "sealshot vault purge"
    with pytest.raises(SystemExit):
        main(["vault", "purge", "--help"])
