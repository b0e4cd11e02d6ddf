"""What is wrong with `cameras.toml`, each by its line; the example is right."""

from __future__ import annotations

import re

import msgspec
import pytest

from sealshot.runtime.cli.commands.serving import Cameras
from sealshot.runtime.pipeline.settings import Settings
from sealshot.runtime.service import config
from sealshot.runtime.service.check import check, read_config
from sealshot.runtime.service.config import EXAMPLE
from sealshot.runtime.service.decode import ConfigError, decode, takes

GOOD = """\
[camera.a]
source = "x"
policy = "p"
vault = "v"
"""

WRONG = {
    "a key that is misspelt": (GOOD + 'quoata = "1G"', 5, "no 'quoata'", "did you mean quota?"),
    "a table that is misspelt": ("[camra.a]", 1, "no 'camra'", "did you mean camera?"),
    "a missing key": ('\n[camera.b]\nsource = "x"', 2, "'vault' is missing", "--example`"),
    "a rate that keeps nobody": (
        GOOD + "rate = 0",
        5,
        "camera.a.rate: it takes a whole number from 1 on, not 0",
        "",
    ),
    "another type": (
        GOOD + 'min_face = "48"',
        5,
        "it takes a whole number from 1 on, not this",
        "",
    ),
    "a value that is none": (GOOD + 'emit = "now"', 5, "it takes one of end, timely, live", ""),
    "a message that the codec drops": (
        GOOD + 'public = {folder = "p", message = "lsb"}',
        5,
        "it takes sei, strip or qim (lsb does not outlive H.264)",
        "",
    ),
    "a switch": (GOOD + "tls_unverified = 1", 5, "it takes true or false, not 1", ""),
    "an hour": (GOOD + 'schedule = ["25:00-26:00"]', 5, 'as ["Mon-Fri 07:00-19:30"', ""),
    "a corner outside": (
        GOOD + "masks = [\n\n [[0,0],\n  [0,2], [1,1]]]",
        5,
        "each number from 0 to 1",
        "",
    ),
    "two corners": (GOOD + "\n# more\nmasks = [[[0,0], [0,1]]]", 7, "three corners or more", ""),
    "one table for several": (GOOD + '[webhook]\nurl = "http://a"', 5, "as [[webhook]]", ""),
    "several tables for one": (GOOD + "[[page]]", 5, "page: it takes a table", ""),
    "several that are none": ("[[camera]]", 1, "as [camera.north]", ""),
    "no TOML": (GOOD + "\nquota = ", 6, "this is no TOML", 'name = "text"'),
    "no cameras": ("", 1, "'camera' is missing", "--example`"),
    "a camera that is none": ("camera = 3", 1, "a table for each camera", ""),
    "a control character": (GOOD + 'upload_file = "a\\u0000b"', 5, "text of one line", ""),
    "a second line": (GOOD + 'quota = "1G\\n"', 5, "text of one line", ""),
    "no end": (GOOD + "clip = inf", 5, "it takes a number from 0 on, not inf", ""),
    "a rate without end": (GOOD + "fps = inf", 5, "it takes a number above 0, not inf", ""),
    "tables in tables": ("x = " + 2000 * "[" + 2000 * "]", 1, "nested too deep", ""),
    "a number in thousands of digits": ("x = " + 5000 * "9", 1, "too many digits", ""),
    "a name that is none": ('[camera."a/b"]\nvault = "v"', 1, "no name", "letters"),
}
RULES = {
    "no source": ('[camera.a]\npolicy = "p"\nvault = "v"', 1, "neither is there"),
    "two sources": (GOOD + 'source_file = "f"', 5, "not both"),
    "a policy and recipients": (GOOD + 'to = ["age1"]', 5, "not both"),
    "a password": (GOOD.replace('"x"', '"rtsp://me:secret@cam/1"'), 2, "there is a secret in it"),
    "retention with a policy": (GOOD + 'retention = "30d"', 5, "goes with to"),
    "nothing that is deleted after": (GOOD + 'after_upload = "delete"', 5, "goes with upload"),
    "a device in the sandbox": (GOOD + 'hwaccel = "cuda"', 5, "goes with sandbox = false"),
    "one vault for two": (GOOD + GOOD.replace(".a", ".b"), 8, "that of camera.a"),
    "one by another name": (
        GOOD + GOOD.replace(".a", ".b").replace('"v"', '"w/../v/"'),
        8,
        "that of camera.a",
    ),
    "a vault in a vault": (
        GOOD + GOOD.replace(".a", ".b").replace('"v"', '"v/w"'),
        8,
        "one would lie in the other: camera.a",
    ),
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


def test_a_fault_of_one_kind_hides_none_of_another(tmp_path) -> None:
    (tmp_path / "cameras.toml").write_text(
        "[camera.a]\nsource = 3\nvault = 4\npolicy = 'p'\nto = ['age1']\nquota = 'much'\n"
        "[camera.b]\nsource = 'no.mp4'\npolicy = 5\nvault = 'v'\nfsp = 2\n"
        "[page]\nlisten = '0.0.0.0:80'\n[[webhook]]\n[[webhook]]\nurl = 'ftp://me:secret@a/'\n"
    )
    found = check(tmp_path / "cameras.toml", Cameras(tmp_path).tries)
    assert [problem.line for problem in found] == [2, 3, 4, 5, 6, 8, 9, 11, 12, 14, 16]
    words = " ".join(problem.fact for problem in found)
    assert not re.search("`|expected|secret@|object|missing", words)


def test_a_fault_of_the_tables_hides_none_of_what_is_in_them(tmp_path) -> None:
    (tmp_path / "cameras.toml").write_text(
        "[camera]\nsource = 'a camera without a name'\n[camera.b]\nsource = 'no.mp4'\n"
        "to = ['age1']\nvault = 'v'\n[camera.'a/b']\nvault = 'v'\nto = ['age1']\nfps = 'many'\n"
        "[page]\nlisten = '0.0.0.0:80'\n"
    )
    found = check(tmp_path / "cameras.toml", Cameras(tmp_path).tries)
    assert [problem.line for problem in found] == [2, 4, 5, 7, 7, 8, 9, 10, 11]


def test_a_file_without_a_camera_is_checked_all_the_same(tmp_path) -> None:
    (tmp_path / "cameras.toml").write_text("camera = 3\n[page]\nlisten = '0.0.0.0:80'\n")
    found = check(tmp_path / "cameras.toml", Cameras(tmp_path).tries)
    assert [problem.line for problem in found] == [1, 2]


def test_what_a_camera_is_watched_with_is_found_before_it_is(tmp_path) -> None:
    (tmp_path / "cameras.toml").write_text(
        "[camera.a]\nsource = '0'\nto = ['~nobody-of-that-name/key']\nvault = 'v'\n"
        "score = 'none.onnx'\ndetector = 'yunet:none.onnx'\ntracker = 'none'\n"
        "[camera.b]\nsource = '0'\nto = ['x']\nvault = '~nobody-of-that-name/v'\n"
        "engine = 'none'\nprecision = 'none'\n"
        "[[webhook]]\nurl_file = 'hook'\n[page]\nlisten = '127.0.0.1:65536'\n"
    )
    (tmp_path / "hook").write_text("https://me:secret/d@host/")
    found = check(tmp_path / "cameras.toml", Cameras(tmp_path).tries)
    assert [problem.line for problem in found] == [3, 5, 6, 7, 10, 11, 12, 13, 14, 16]
    assert "secret" not in str(found)
    assert str(tmp_path / "none.onnx") in found[1].fact
    assert str(tmp_path / "none.onnx") in found[2].fact


def test_paths_of_models_start_from_the_folder_of_the_file(tmp_path) -> None:
    camera = config.Camera(vault="v", score="own/score.onnx", detector="yunet:faces.onnx")
    settings = camera.settings("0", tmp_path)
    assert settings.score == str(tmp_path / "own/score.onnx")
    assert settings.detector == f"yunet:{tmp_path / 'faces.onnx'}"
    named = config.Camera(vault="v", score="rp", detector="mtcnn:exact").settings("0", tmp_path)
    assert (named.score, named.detector) == ("rp", "mtcnn:exact")


@pytest.mark.parametrize(
    "field",
    [
        field
        for kind in vars(config).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        for field in (msgspec.structs.fields(kind) if kind is not msgspec.Struct else ())
    ],
    ids=lambda field: field.name,
)
def test_each_key_says_in_our_words_what_it_takes(field) -> None:
    assert re.fullmatch(r"[a-z][^`]*", takes(field.type))


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
    if line.startswith("to ="):
        text = text.replace('policy = "north', '# policy = "north')
    file = tmp_path / "cameras.toml"
    file.write_text(text)
    assert read_config(file) != read_config(EXAMPLE)


def test_the_rest_of_the_example_is_right_with_what_is_commented_out(tmp_path) -> None:
    file = tmp_path / "cameras.toml"
    rest = re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", OTHERS)
    file.write_text(f"{CAMERAS}[page]{rest}")
    read = read_config(file)
    assert None not in (read.page and read.page.token_file, read.mqtt, read.events)
    assert len(read.webhook) == 1


def test_defaults_are_those_of_run() -> None:
    camera = decode(GOOD).camera["a"]
    assert camera.settings("x") == Settings("x")
