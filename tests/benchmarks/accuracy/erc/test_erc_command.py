"""`sealshot erc` as a user runs it: what it prints, what it writes, what it says of bad input."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from sealshot.benchmarks.data import faces as faces_module
from sealshot.runtime.cli.main import main


@pytest.fixture(scope="session")
def scores_npz(tmp_path_factory):
    """Distances and three qualities: a good one, nearly the same, and one that is upside down."""
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(300), 8)
    distance = rng.random(300)[person] + rng.random(len(person))
    good = -distance + 0.3 * rng.standard_normal(len(person))
    path = tmp_path_factory.mktemp("npz") / "scores.npz"
    np.savez(
        path,
        distance=distance,
        person=person,
        impostor=1.0 + rng.random(50_000),
        quality_good=good,
        quality_near=good + 0.01 * rng.standard_normal(len(person)),
        quality_broken=-good,
    )
    return path


def run(capsys, *argv):
    code = main(["erc", *map(str, argv)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def sharpness_of(dataset, models, cache):
    return (
        dataset, "--recognizer", models / "matcher.onnx", "--score", "sharpness", "--fnmr", "0.2",
        "--cache", cache, "--replicates", "20",
    )  # fmt: skip


def compare_with_sharp(capsys, candidate, people, models, cache):
    return run(
        capsys, "compare", "--reference", models / "sharp.onnx",
        "--candidate", models / f"{candidate}.onnx", people,
        "--recognizer", models / "matcher.onnx", "--fnmr", "0.2", "--cache", cache,
    )  # fmt: skip


def test_report_of_a_folder_of_people(capsys, people, models, shared_cache, tmp_path):
    code, out, err = run(
        capsys, people, "--recognizer", models / "matcher.onnx", "--score", models / "sharp.onnx",
        "--score", "random", "--fnmr", "0.2", "0.001", "--fmr", "0.1", "--cache", shared_cache,
        "--replicates", "50", "--reference-by", "sharpness", "-o", tmp_path / "report",
    )  # fmt: skip
    assert code == 0
    assert re.search(r"FNMR 0.2: 3 errors in 16 genuine comparisons", out)
    assert re.search(r"^sharp +0\.\d{3} ", out, re.M)
    assert "cannot show an FNMR of 0.001" in err
    assert "no genuine comparison fails at FMR 0.1" in err  # this matcher is good at tints
    assert "no face found, first p0/nobody.png" in err
    assert "no picture, first p1/torn.jpg" in err
    written = {path.name for path in (tmp_path / "report").iterdir()}
    curves = {f"erc-fnmr-0.2{each}.{kind}" for each in ("", "-each") for kind in ("svg", "png")}
    assert written == curves | {"index.html", "erc.json"}

    result = json.loads((tmp_path / "report" / "erc.json").read_text())
    assert result["setting"]["pictures"] == 22
    assert result["setting"]["faceless"] == ["p0/nobody.png"]
    assert result["setting"]["unreadable"] == ["p1/torn.jpg"]
    assert result["environment"]["versions"]["numpy"] == np.__version__
    first = result["starts"][0]["scores"][0]
    assert first["score"] == "sharp"
    assert len(first["fnmr"]) == len(result["starts"][0]["discarded"])
    # blurred pictures match worst here, so sharpness is close to PERFECT and random is not
    assert first["pauc"][1]["value"] < result["starts"][0]["scores"][1]["pauc"][1]["value"]

    page = (tmp_path / "report" / "index.html").read_text()
    assert "How to read the curves" in page
    assert page.count("<svg") == 2
    assert "p0/nobody.png" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))  # two figures in one page, each with its own marks
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_second_run_neither_detects_nor_embeds(capsys, people, models, shared_cache, monkeypatch):
    argv = (*sharpness_of(people, models, shared_cache), "--json")
    _, first, _ = run(capsys, *argv)

    def forbidden(*_, **__):
        raise AssertionError("the cache was not used")

    monkeypatch.setattr(faces_module, "open_detector", forbidden)
    monkeypatch.setattr("sealshot.benchmarks.data.matcher.Matcher.embed", forbidden)
    code, second, _ = run(capsys, *argv)
    assert code == 0
    assert json.loads(first)["starts"] == json.loads(second)["starts"]


def test_csv_of_pairs(capsys, people, models, shared_cache):
    pairs = people / "pairs.csv"
    rows = [f"p{p}/0.png,p{p}/{k}.png,1,p{p}" for p in range(4) for k in range(1, 5)]
    rows += [f"p{p}/0.png,p{q}/0.png,0,p{p}" for p in range(4) for q in range(p)]
    rows += ["p0/0.png,p0/nobody.png,1,p0"]
    pairs.write_text("\n".join(["reference,probe,same,person", *rows]))
    code, out, _ = run(capsys, *sharpness_of(pairs, models, shared_cache), "--json")
    assert code == 0
    setting = json.loads(out)["setting"]
    assert (setting["genuine"], setting["impostor"], setting["lost"]) == (16, 6, 1)
    assert setting["people"] == 4


def test_all_pairs(capsys, people, models, shared_cache):
    argv = sharpness_of(people, models, shared_cache)
    code, out, _ = run(capsys, *argv, "--pairs", "all", "--json")
    assert code == 0
    assert json.loads(out)["setting"]["genuine"] == 4 * 10
    assert "worse of both" in json.loads(out)["setting"]["protocol"]


def test_npz_takes_all_its_scores_unless_told(capsys, scores_npz, tmp_path):
    argv = (scores_npz, "--fnmr", "0.05", "--fmr", "0.01", "--replicates", "50")
    code, out, _ = run(capsys, *argv, "-o", tmp_path)
    assert code == 0
    tables = re.findall(r"^(good|near|broken) ", out, re.M)
    assert sorted(tables) == sorted(["good", "near", "broken"] * 2)
    assert tables[2] == tables[5] == "broken"  # best first
    assert "It beats broken" in (tmp_path / "index.html").read_text()
    code, out, _ = run(capsys, *argv, "--score", "good")
    assert code == 0
    assert "broken" not in out


@pytest.mark.parametrize(
    ("distances", "code", "said"),
    [
        ([0.4], 2, "all 1 genuine comparisons fail at FNMR 0.5"),
        ([0.4, 0.4], 2, "all 2 genuine comparisons fail at FNMR 0.5"),
        ([0.4, 0.9], 0, "FNMR 0.5 rests on 1 errors"),
    ],
)
def test_very_few_genuine_pairs(tmp_path, capsys, distances, code, said):
    path = tmp_path / "few.npz"
    np.savez(path, distance=np.array(distances), quality_a=np.arange(len(distances), dtype=float))
    found = run(capsys, path, "--fnmr", "0.5", "--replicates", "20", "-o", tmp_path / "report")
    assert found[0] == code
    assert said in " ".join(found[2].split())
    if code == 0:
        json.loads((tmp_path / "report/erc.json").read_text(), parse_constant=pytest.fail)


def test_lfw_lists_of_pairs(tmp_path, capsys, people, models, shared_cache):
    for person in ("p0", "p1"):
        (tmp_path / person).mkdir()
        for k in range(5):
            picture = (people / person / f"{k}.png").read_bytes()
            (tmp_path / person / f"{person}_{k + 1:04d}.png").write_bytes(picture)
    lines = [f"{p}\t1\t{k}" for p in ("p0", "p1") for k in range(2, 6)] + ["p0\t1\tp1\t1"]
    (tmp_path / "pairs.txt").write_text("\n".join(["1\t4", *lines]) + "\n")
    code, out, _ = run(
        capsys, *sharpness_of(tmp_path / "pairs.txt", models, shared_cache), "--json"
    )
    assert code == 0
    assert json.loads(out)["setting"]["genuine"] == 8
    assert json.loads(out)["setting"]["impostor"] == 1


def test_ranked_faces_are_written_only_when_asked_and_loudly(
    capsys, people, models, shared_cache, tmp_path
):
    argv = (*sharpness_of(people, models, shared_cache), "-o", tmp_path)
    run(capsys, *argv)
    assert not (tmp_path / "ranked-faces.png").exists()
    code, _, err = run(capsys, *argv, "--ranked-faces")
    assert code == 0
    assert (tmp_path / "ranked-faces.png").exists()
    assert "SHOWS FACES" in err


MATCHED = "{people} --recognizer {models}/matcher.onnx"
BAD = {
    "nowhere": "need a face matcher",
    "nowhere --recognizer {models}/matcher.onnx": "no folder",
    "{people} --recognizer {models}/none.onnx": "no model file",
    "{people} --recognizer {models}/sharp.onnx": "no alignment",
    f"{MATCHED} --score beauty": "no score 'beauty'",
    f"{MATCHED} --score size --score size": "two scores",
    f"{MATCHED} --score {{models}}/matcher.onnx": "`crops`",
    f"{MATCHED} --score reconstruction:{{models}}/sharp.onnx": "no output `mu`",
    f"{MATCHED} --score lightqnet:{{models}}/sharp.onnx": "OpenCV",
    f"{MATCHED} --score brisque:{{models}}": "BRISQUE",
    f"{MATCHED} --detector eyes": "no detector",
    f"{MATCHED} --fnmr 2": "between 0 and 1",
    f"{MATCHED} --fnmr 0.2 --ranked-faces": "folder to write",
    "{people}/p0 --recognizer {models}/matcher.onnx": "no person with two",
    "{people}/none.csv --recognizer {models}/matcher.onnx": "cannot be read",
    "{npz} --score best": "no score 'best'",
    "{npz} --fnmr 0.00001": "cannot show",
    "{npz} -o {npz}": "cannot write into",
    "{npz} --fnmr 0.05 --ranked-faces -o {tmp}": "no faces",
}


@pytest.mark.parametrize(("command", "fact"), BAD.items())
def test_bad_input_is_one_fact_and_one_hint(
    command, fact, capsys, people, models, shared_cache, scores_npz, tmp_path
):
    places = {"people": people, "models": models, "npz": scores_npz, "tmp": tmp_path}
    code, out, err = run(capsys, *command.format(**places).split(), "--cache", shared_cache)
    assert code == 2
    assert "report:" not in out
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert fact in errors[0]
    assert "\nhint: " in err
    assert "Traceback" not in err


def test_compare_passes_an_identical_model(capsys, people, models, shared_cache):
    code, out, _ = compare_with_sharp(capsys, "copy", people, models, shared_cache)
    assert code == 0
    assert "accuracy is kept" in out


def test_compare_finds_a_broken_model(capsys, people, models, shared_cache):
    code, out, _ = compare_with_sharp(capsys, "broken", people, models, shared_cache)
    assert code == 1
    assert "accuracy is lost" in out


@pytest.mark.parametrize(
    ("candidate", "options", "code", "verdict"),
    [
        ("good", [], 0, "kept"),
        ("near", [], 0, "kept"),
        ("broken", [], 1, "lost"),
        ("near", ["--tolerance", "0.000001"], 1, "not shown"),
        ("broken", ["--tolerance", "100"], 0, "kept"),
        ("broken", ["--tolerance", "100", "--rank", "0.995"], 1, "kept"),
        ("near", ["--rank", "0.9"], 0, "kept"),
    ],
)
def test_compare_on_an_npz(candidate, options, code, verdict, capsys, scores_npz):
    found, out, _ = run(
        capsys, "compare", "--reference", "good", "--candidate", candidate, scores_npz,
        "--fnmr", "0.05", "--replicates", "200", "--json", *options,
    )  # fmt: skip
    result = json.loads(out)
    assert found == code
    assert result["passed"] is (code == 0)
    assert result["starts"][0]["verdict"].startswith(verdict)


def test_compare_writes_what_it_found_and_how_it_was_asked(capsys, scores_npz, tmp_path):
    out = tmp_path / "compared.json"
    code, _, _ = run(
        capsys, "compare", "--reference", "good", "--candidate", "good", scores_npz,
        "--fnmr", "0.05", "-o", out,
    )  # fmt: skip
    found = json.loads(out.read_text())
    assert (code, found["passed"], found["rank"]) == (0, True, 1.0)
    assert found["command"].startswith("sealshot erc compare --reference good")
    assert found["environment"]["machine"]


def test_compare_refuses_to_pass_on_too_little(capsys, tmp_path):
    """Twenty comparisons cannot show that a different score is as good."""
    rng = np.random.default_rng(0)
    distance = rng.random(20)
    np.savez(
        tmp_path / "few.npz",
        distance=distance,
        quality_a=rng.random(20),
        quality_b=rng.random(20),
    )
    code, out, _ = run(
        capsys,
        "compare",
        "--reference",
        "a",
        "--candidate",
        "b",
        tmp_path / "few.npz",
        "--fnmr",
        "0.2",
    )
    assert code == 1
    assert "accuracy is lost, or not shown to be kept" in out


@pytest.mark.parametrize("command", [[], ["compare"], ["degrade"], ["leak"], ["shots"]])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as left:
        main(["erc", *command, "--help"])
    assert left.value.code == 0
    assert "sealshot erc" in capsys.readouterr().out.rpartition("example")[2]
