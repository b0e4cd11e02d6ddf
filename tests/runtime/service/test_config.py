"""What is wrong with `cameras.toml`, each by its line; the example is right."""

from __future__ import annotations

import re

import pytest

from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.service.check import read_config
from sealshot.runtime.service.config import EXAMPLE
from sealshot.runtime.service.decode import ConfigError, decode

GOOD = """\
[camera.a]
source = "x"
policy = "p"
vault = "v"
"""

WRONG = {
    "a key that is misspelt": (GOOD + 'quoata = "1G"', 5, "no 'quoata'", "did you mean quota?"),
    "a table that is misspelt": ("[camra.a]", 1, "no 'camra'", "did you mean camera?"),
    "a missing key": ('\n[camera.b]\nsource = "x"', 2, "'vault' is missing", ""),
    "a rate that keeps nobody": (GOOD + "rate = 0", 5, "expected `int` >= 1", ""),
    "another type": (GOOD + 'min_face = "48"', 5, "expected `int`, got `str`", ""),
    "a value that is none": (
        GOOD + 'emit = "now"',
        5,
        "invalid enum value",
        "one of end, timely, live",
    ),
    "a corner outside": (GOOD + "masks = [\n\n [[0,0],\n  [0,2], [1,1]]]", 5, "<= 1.0", ""),
    "two corners": (GOOD + "\n# more\nmasks = [[[0,0], [0,1]]]", 7, "length >= 3", ""),
    "no TOML": (GOOD + "\nquota = ", 6, "this is no TOML", ""),
    "no cameras": ("", 1, "'camera' is missing", ""),
    "a camera that is none": ("camera = 3", 1, "got `int`", ""),
    "a name that is none": ('[camera."a/b"]\nvault = "v"', 1, "no name", "letters"),
}
RULES = {
    "no source": ('[camera.a]\npolicy = "p"\nvault = "v"', 1, "neither is there"),
    "two sources": (GOOD + 'source_file = "f"', 5, "not both"),
    "a policy and recipients": (GOOD + 'to = ["age1"]', 5, "not both"),
    "a password": (GOOD.replace('"x"', '"rtsp://me:secret@cam/1"'), 2, "there is a secret in it"),
    "retention with a policy": (GOOD + 'retention = "30d"', 5, "goes with to"),
    "nothing that is deleted after": (GOOD + 'after_upload = "delete"', 5, "goes with upload"),
    "one vault for two": (GOOD + GOOD.replace(".a", ".b"), 8, "that of camera.a"),
}


@pytest.mark.parametrize(("text", "line", "fact", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_by_its_line(text, line, fact, hint) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(text)
    problem = caught.value.problems[0]
    assert (problem.line, fact in problem.fact, hint in problem.hint) == (line, True, True)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        decode(GOOD + 'fps = "a"\nwithin = -1\nclips = 3\n')
    assert [problem.line for problem in caught.value.problems] == [5, 6, 7]


@pytest.mark.parametrize(("text", "line", "fact"), RULES.values(), ids=RULES)
def test_what_cannot_stand_together_is_told(text, line, fact, tmp_path) -> None:
    file = tmp_path / "cameras.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config(file)
    problem = caught.value.problems[0]
    assert (problem.line, fact in problem.fact) == (line, True)
    assert "secret@" not in problem.fact + problem.hint


CAMERAS, _, OTHERS = EXAMPLE.read_text().partition("[page]")
COMMENTED = [line[2:] for line in CAMERAS.splitlines() if re.match("# [a-z_]+ = ", line)]


def test_the_example_is_right() -> None:
    assert set(read_config(EXAMPLE).camera) == {"north", "yard"}
    assert len(COMMENTED) >= 4


@pytest.mark.parametrize("line", COMMENTED)
def test_the_cameras_of_the_example_are_right_with_what_is_commented_out(line, tmp_path) -> None:
    text = EXAMPLE.read_text().replace(f"# {line}", line)
    if line.startswith("source_file"):
        text = text.replace('source = "rtsp', '# source = "rtsp')
    file = tmp_path / "cameras.toml"
    file.write_text(text)
    assert read_config(file) != read_config(EXAMPLE)


def test_the_rest_of_the_example_is_right_with_what_is_commented_out(tmp_path) -> None:
    file = tmp_path / "cameras.toml"
    rest = re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", OTHERS)
    file.write_text(f"{CAMERAS}[page]{rest}")
    config = read_config(file)
    assert None not in (config.page and config.page.token_file, config.mqtt, config.events)
    assert len(config.webhook) == 1


def test_defaults_are_those_of_run() -> None:
    camera = decode(GOOD).camera["a"]
    assert camera.settings("x") == Settings("x")
