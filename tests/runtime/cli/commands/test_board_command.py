"""`sealshot board list`, `show`, `detect`."""

import json

import pytest

from sealshot.boards import boards
from sealshot.runtime.cli.main import main


def test_list_names_every_board(capsys):
    assert main(["board", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in boards())


def test_list_as_json(capsys):
    assert main(["board", "list", "--json"]) == 0
    assert [b["name"] for b in json.loads(capsys.readouterr().out)] == list(boards())


@pytest.mark.parametrize("name", sorted(boards()))
def test_show_gives_each_fact_its_source(capsys, name):
    assert main(["board", "show", name]) == 0
    shown = capsys.readouterr().out
    board = boards()[name]
    assert board.title in shown
    for mode in board.power_modes:
        assert mode.name in shown
        assert mode.source in shown
    for rail in board.rails:
        assert rail.label in shown
    assert main(["board", "show", name, "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields["name"] == name
    assert all(set(f) == {"value", "source", "verified"} for f in fields["compute"].values() if f)


def test_show_auto_is_this_board(capsys):
    assert main(["board", "show", "auto", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["name"]
    assert main(["board", "detect", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["board"] == shown


def test_detect_in_a_recorded_tree(capsys, tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/compatible").write_text("nvidia,p3767-0001\0nvidia,tegra234\0")
    assert main(["board", "detect", "--root", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["board"] == "orin-nx-8gb"
    assert main(["board", "detect", "--root", str(tmp_path)]) == 0
    assert "p3767-0001" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "ACTION"),
        (["toast"], "invalid choice: 'toast'"),
        (["show"], "name"),
        (["show", "toaster"], "there is no board 'toaster'"),
        (["show", "../nano"], "there is no board '../nano'"),
        (["detect", "--root", "/nowhere"], "there is no folder /nowhere"),
        (["list", "more"], "unrecognized arguments: more"),
    ],
)
def test_a_wrong_command_is_an_error_with_a_hint(capsys, argv, says):
    assert main(["board", *argv]) == 2
    shown = capsys.readouterr().err
    assert says in shown
    assert "hint: " in shown


def test_help(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["board", "--help"])
    assert caught.value.code == 0
    assert "sealshot board check" in capsys.readouterr().out


def test_an_action_that_is_missing_is_one_of_all(capsys):
    assert main(["board"]) == 2
    hint = "hint: one of list, show, detect, project, check, flash: "
    assert hint in capsys.readouterr().err
