"""The program as a whole: commands, exit codes, errors in one sentence."""

import errno
import importlib
import io
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import sealshot
from sealshot.benchmarks.conditions.environment import environment
from sealshot.runtime.cli import main as cli
from sealshot.runtime.cli.commands import public
from sealshot.runtime.errors import SealshotError
from sealshot.runtime.files import write_atomic


def call(capsys, *argv):
    code = cli.main(list(argv))
    return code, *capsys.readouterr()


def test_help_names_every_command(capsys):
    code, out, _ = call(capsys, "--help")
    assert code == 0
    assert all(f"\n  {name} " in out for name in cli.COMMANDS)


def test_no_command_is_wrong_and_shows_the_usage(capsys):
    code, out, _ = call(capsys)
    assert code == 2
    assert out.startswith("usage: sealshot")


FULL = Path("/dev/full")
ANSWERS = [["--help"], ["run", "--help"], ["board", "list"], ["board", "list", "--json"]]


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("argv", ANSWERS)
def test_an_answer_that_finds_no_room(argv):
    with FULL.open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "sealshot", *argv],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert run.returncode == 1
    assert run.stderr.startswith("error: the answer cannot be written to standard output: No space")
    assert run.stderr.count("\n") == 2


@pytest.mark.parametrize("argv", ANSWERS)
def test_an_answer_that_nobody_wants(argv):
    run = subprocess.run(
        [
            "sh",
            "-c",
            'exec "$@" >&-',
            "sh",
            sys.executable,
            "-m",
            "sealshot",
            *argv,
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_an_argument_that_ends_like_an_empty_one(capsys):
    code, _, err = call(capsys, "vault", "list", "vault", "--upload=https://host/{name}?key=aGk=")
    assert (code, "unrecognized arguments: --upload=https" in err) == (2, True)


@pytest.mark.parametrize(
    ("argv", "fact", "hint"),
    [
        (["--tracke", "euclidean"], "unrecognized arguments: --tracke", "did you mean --tracker?"),
        (["--no-such-thing"], "unrecognized arguments: --no-such-thing", "--help"),
        (["--vault", "v"], "one of --policy and --to is required", "--help"),
        (
            ["--vault", "v", "--to", "age1", "--policy", "p.toml"],
            "give one of --policy and --to, not both",
            "--help",
        ),
    ],
)
def test_a_wrong_option_is_named_before_what_is_missing(capsys, argv, fact, hint):
    code, out, err = call(capsys, "run", "clip.avi", *argv)
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first == f"error: {fact}"
    assert second.startswith("hint: ")
    assert hint in second


@pytest.mark.parametrize(
    ("argv", "missing", "way"),
    [
        (["run"], "SOURCE, --policy or --to, --vault", "SOURCE --policy FILE --vault DIR"),
        (["run", "x.mp4"], "--policy or --to, --vault", "SOURCE --policy FILE --vault DIR"),
        (["run", "x.mp4", "--to", "age1"], "--vault", "SOURCE --policy FILE --vault DIR"),
        (["custodian", "answer", "."], "--warrant, --policy, -o, --keys", "--keys DIR -o FILE"),
        (["policy", "new"], "authorities, --quorum", "--epoch-keys DIR|URL [--epoch day|hour] -o"),
        (["archive"], "FILE, --policy or --to, --vault", "FILE... --policy FILE --vault DIR"),
        (["archive", "--vault", "v"], "FILE, --policy or --to", "FILE... --policy FILE"),
        (["vault"], "ACTION", "one of list, verify, "),
    ],
)
def test_what_is_missing_is_named_all_of_it_and_how_it_is_given(capsys, argv, missing, way):
    code, out, err = call(capsys, *argv)
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith(f"error: the following arguments are required: {missing}")
    assert way in second


def test_version(capsys, monkeypatch):
    """Its own, also where what is installed of it says that it is another one."""
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.1.0")
    code, out, _ = call(capsys, "--version")
    assert (code, out) == (0, f"sealshot {sealshot.__version__}\n")
    assert sealshot.__version__ > "0.1"
    assert environment().versions["sealshot"] == sealshot.__version__


def test_no_file_gets_the_number_of_a_standard_stream_that_is_closed():
    """What a library prints would go into it, and the sandbox of a source would lose it."""
    code = "from sealshot.runtime.cli.main import main; import os, sys; main(['--version']); "
    code += "os._exit(os.dup(0))"
    command = ["sh", "-c", 'exec "$0" -c "$1" <&- 2>&-', sys.executable, code]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 3


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_explains_itself(capsys, command):
    if command == "train":
        pytest.importorskip("torch")
    with pytest.raises(SystemExit) as exit:
        cli.main([command, "--help"])
    out = capsys.readouterr().out
    assert exit.value.code == 0
    assert out.startswith("usage: sealshot " + command)
    assert "example" in out


@pytest.mark.parametrize(
    ("argv", "fact", "hint"),
    [
        (["rnu"], "there is no command 'rnu'", "did you mean 'run'?"),
        (["xyzzy"], "there is no command 'xyzzy'", "--help"),
        (["run"], "required", "sealshot run --help"),
        (["run", "a.mp4", "--to", "age1x", "--vault", "v", "--emit", "soon"], "invalid choice", ""),
        (["run", "a.mp4", "--to", "age1x", "--vault", "v", "--clip", "-1"], "seconds above 0", ""),
        (["run", "a.mp4", "--to", "age1x", "--vault", "v", "--min-face", "x"], "whole number", ""),
        (["run", "a.mp4", "--to", "age1x", "--vault", "v", "--margin", "9"], "margin", "0.5"),
        (["run", "a.mp4", "--to", "age1x", "--vault", ""], "an argument is empty", "--help"),
        (["run", "a.mp4", "--to", "age1x", "--vault="], "an argument is empty", "--help"),
        (["vault", "list", ""], "an argument is empty", "vault list --help"),
    ],
)
def test_wrong_arguments_get_one_sentence_and_a_hint(capsys, argv, fact, hint):
    code, out, err = call(capsys, *argv)
    assert (code, out) == (2, "")
    assert fact in err
    assert hint in err
    assert "Traceback" not in err
    assert err.count("error:") == 1
    assert "hint:" in err


def test_a_missing_extra_is_named(capsys, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", missing)
    code, _, err = call(capsys, "train", "x", "-o", "y")
    assert code == 2
    assert "needs torch" in err
    assert "sealshot[export]" in err


def test_a_defect_is_not_hidden(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["run"])


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (SealshotError("it broke", "mend it"), 1)]
)
def test_exit_codes(capsys, monkeypatch, error, code):
    def fail(argv):
        raise error

    monkeypatch.setattr(cli, "dispatch", fail)
    assert cli.main([]) == code
    err = capsys.readouterr().err
    assert "Traceback" not in err


def test_the_runtime_never_imports_torch():
    import subprocess

    code = (
        "import sys\n"
        "sys.modules['torch'] = None  # an import of it fails\n"
        "import pkgutil, importlib, sealshot.runtime as package\n"
        "for m in pkgutil.walk_packages(package.__path__, 'sealshot.runtime.'):\n"
        "    try:\n"
        "        importlib.import_module(m.name)\n"
        "    except ModuleNotFoundError as error:\n"
        "        assert error.name == 'tensorrt', error  # its own engine may need it\n"
        "assert not {'onnx', 'matplotlib', 'scipy'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_loads_only_what_it_needs():
    import subprocess

    # nor PyAV, in the process that holds the keys
    code = (
        "import sys\n"
        "from sealshot.runtime.cli.main import main\n"
        "assert main(['run', '--help']) == 0\n"
        "from sealshot.runtime.pipeline.stages import open_stages\n"
        "from sealshot.runtime.pipeline.settings import Settings\n"
        "open_stages(Settings(source='a.mp4'))\n"
        "dear = ('av', 'rich', 'ssl', '_hashlib', 'http.client', 'email', 'xml', 'scipy',\n"
        "        'sealshot.boards', 'sealshot.kernels.gpu')\n"
        "loaded = [name for name in dear if sys.modules.get(name)]\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


NO_FILES = [
    ("policy show {text}", "{text}: it is not a policy: line 1: this is no TOML: "),
    ("vault verify {folder} --policy {text}", "{text}: it is not a policy"),
    ("vault verify {folder} --camera {text}", "{text}: it is not a camera's .pub"),
    ("vault verify {text}", "cannot read the vault {text}"),
    ("warrant show {text} --policy {text}", "{text}: it is not a warrant"),
    ("log verify {absent} --of {text}", "there is no log {absent}"),
    ("log verify {folder} --of {text}", "error: {folder} is a folder, not a log"),
    ("report {folder} --policy {policy}", "error: {folder} is a folder, not a log"),
    ("evidence verify {text}", "{text}: it is not a readable ZIP"),
    ("open {folder} --identity {key} -o {text}", "the folder {text} cannot be made"),
    ("run {folder} --to {recipient} --vault {text}", "{text} is not a folder"),
    ("run {folder} --to {recipient} --vault {text}/deeper", "{text} is not a folder"),
    ("camera enrol {camera} --policy {binary}", "{binary}: it is not a policy: it is not text"),
]


@pytest.mark.parametrize(("line", "fact"), NO_FILES)
def test_a_file_that_is_another_is_named_and_nothing_is_written(
    capsys, tmp_path, parties, line, fact
):
    """Among several files on a line, the sentence says which one is meant."""
    places = {
        name: tmp_path / name for name in ("text", "binary", "folder", "absent", "camera", "key")
    }
    places["policy"] = parties.policy
    places["text"].write_text("hello\n")
    places["binary"].write_bytes(b"\xff\xd8\xff")
    places["folder"].mkdir()
    cv2.imwrite(str(places["folder"] / "0.png"), np.zeros((64, 64, 3), np.uint8))
    assert cli.main(["keys", "new", str(places["key"])]) == 0
    places["recipient"] = capsys.readouterr().out.strip()
    if line.startswith("open"):
        (tmp_path / "folder" / "2026-11-21").mkdir()
        (tmp_path / "folder" / "2026-11-21" / ("0" * 32 + ".age")).write_bytes(b"x")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call(capsys, *line.format(**places).split())
    assert (code, out) == (2, "")
    error = next(text for text in err.splitlines() if text.startswith("error: "))
    assert fact.format(**places) in error
    assert err.splitlines()[-1].startswith("hint: ")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_camera_is_enrolled_whole_or_not_at_all(capsys, tmp_path, parties):
    folder = tmp_path / "camera"
    folder.mkdir()
    (folder / "policy.toml").write_text("of another")
    code, out, err = call(capsys, "camera", "enrol", str(folder), "--policy", str(parties.policy))
    assert (code, out) == (2, "")
    assert "a folder of its own" in err
    assert [path.name for path in folder.iterdir()] == ["policy.toml"]


TOO_LONG = "a" * 300


@pytest.mark.parametrize(
    "argv",
    [
        ["run", TOO_LONG, "--to", "age1...", "--vault", "vault"],
        ["deidentify", TOO_LONG, "-o", "out.mp4"],
        ["public", "read", TOO_LONG],
        ["open", "vault", "--identity", TOO_LONG, "-o", "out"],
        ["vault", "list", TOO_LONG],
    ],
)
def test_a_path_of_which_nothing_can_be_asked(argv, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["keys", "new", "key"]) == 0
    recipient = capsys.readouterr().out.strip()
    code, _, err = call(capsys, *(recipient if one == "age1..." else one for one in argv))
    assert (code, err.count("error: "), err.count("hint: ")) == (2, 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_folder_that_this_user_may_not_enter(capsys, monkeypatch):
    def stat(path, **_options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(public, "main", lambda _argv: stat("shut/clip.mp4"))
    code, _, err = call(capsys, "public", "read", "shut/clip.mp4")
    assert (code, err.splitlines()[0]) == (
        2,
        "error: cannot get at shut/clip.mp4: Permission denied",
    )


def test_a_full_disk_that_nobody_told_of_is_told(capsys, tmp_path, monkeypatch):
    def full(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "model.onnx"
    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr(public, "main", lambda _argv: write_atomic(file, b"data"))
    code, _, err = call(capsys, "public", "read")
    error, hint = err.splitlines()
    assert (code, error) == (1, f"error: cannot write {file}: No space left on device")
    assert hint.startswith("hint: ")
    assert not list(tmp_path.iterdir())


def test_a_letter_that_standard_output_lacks(tmp_path, monkeypatch):
    into = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(into, encoding="ascii"))
    (tmp_path / "J\xfcrg").mkdir()
    assert cli.main(["authority", "new", str(tmp_path / "J\xfcrg" / "judge.key")]) == 0
    sys.stdout.flush()
    assert into.getvalue().endswith(b"/J\\xfcrg/judge.pub\n")


def test_no_thread_waits_for_matrices_that_never_come():
    program = (
        "import os\n"
        "from sealshot.runtime.cli import main\n"
        "main.main(['run', 'nothing.mp4', '--no-sandbox'])\n"  # what parses has a thread that waits
        "import numpy, cv2\n"
        "print(len(os.listdir('/proc/self/task')))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert said.stdout == "1\n", said.stderr
