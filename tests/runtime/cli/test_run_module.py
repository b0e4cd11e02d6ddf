"""A module that is a command by itself ends as `sealshot` does."""

import pytest

from sealshot.runtime.cli.arguments import run_module
from sealshot.runtime.errors import InputError, SealshotError


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (InputError("it is wrong", hint="mend it"), 2, "error: it is wrong\nhint: mend it\n"),
        (SealshotError("it broke"), 1, "error: it broke\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (None, 0, ""),
    ],
)
def test_a_module_ends_as_the_command_does(raised, code, told, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["module", "--option"])

    def main(argv):
        assert argv == ["--option"]
        if raised:
            raise raised
        return 0

    with pytest.raises(SystemExit) as ended:
        run_module(main)
    assert ended.value.code == code
    assert capsys.readouterr().err == told
