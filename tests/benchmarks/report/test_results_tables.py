"""RESULTS.md, TRIED.md and the model card say what the results say."""

import json
import re
import shutil

import pytest

from sealshot.benchmarks.report.tables import CARD, PAGE, RESULTS, TABLES, TRIED, main, update
from sealshot.runtime.errors import InputError

MARKED = "# x\n\n<!-- table: {name} -->\nold\n<!-- end of table -->\n\nrest\n"


@pytest.mark.parametrize("page", [PAGE, TRIED, CARD], ids=["results", "tried", "model card"])
def test_the_page_agrees_with_the_results(page):
    text = page.read_text()
    assert "<!-- table: " in text
    assert update(text) == text, f"run `sealshot bench tables {page.name}`"


@pytest.mark.parametrize("name", TABLES)
def test_each_table_is_made_from_the_results_that_are_kept(name):
    made = update(MARKED.format(name=name))
    assert made.startswith(f"# x\n\n<!-- table: {name} -->\n")
    assert made.endswith("<!-- end of table -->\n\nrest\n")
    assert "old" not in made
    lines = [line for line in made.splitlines() if line.startswith("|")]
    assert lines or "not measured" in made
    assert len({line.count("|") for line in lines}) <= 1
    assert update(made) == made


def test_a_result_that_changes_changes_the_table(tmp_path):
    shutil.copytree(RESULTS, tmp_path / "results")
    text = update(MARKED.format(name="pipeline"))
    path = tmp_path / "results/throughput.json"
    fields = json.loads(path.read_text())
    fields["frames"][0]["fps"]["median"] = 4321.0
    path.write_text(json.dumps(fields))
    assert "4321.0" in update(text, tmp_path / "results")
    assert "4321.0" not in text


def test_the_command_writes_and_checks(tmp_path, capsys):
    path = tmp_path / "RESULTS.md"
    path.write_text(MARKED.format(name="erc"))
    assert main([str(path), "--check"]) == 1
    assert "old" in path.read_text()
    assert main([str(path)]) == 0
    assert re.search(r"\| `quality` \| \d\.\d\d \[", path.read_text())
    assert main([str(path), "--check"]) == 0
    assert "agree" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (MARKED.format(name="beauty"), "no table 'beauty'"),
        ("<!-- table: erc -->\n| no end |\n", "no end"),
        ("<!-- table: ERC 2 -->\n<!-- end of table -->\n", "no proper mark"),
    ],
)
def test_bad_marks_are_refused(text, fact):
    with pytest.raises(InputError, match=fact):
        update(text)


@pytest.mark.parametrize("content", [None, "{}", '{"rows": 7}', "no JSON"])
def test_a_result_that_is_missing_or_odd_is_an_error(content, tmp_path):
    if content is not None:
        (tmp_path / "throughput.json").write_text(content)
    with pytest.raises(InputError):
        update(MARKED.format(name="throughput"), tmp_path)
