"""THREATS.md and COMPLIANCE.md: each test that they name is there, and each attack has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import sealshot.runtime.seal

TESTS = Path(__file__).parents[1]
ROOMS = ("seal", "age", "vault", "cli", "cli/commands", ".")
TEXT = (Path(sealshot.runtime.seal.__file__).parent / "THREATS.md").read_text()
LAW = (Path(sealshot.runtime.seal.__file__).parent / "COMPLIANCE.md").read_text()
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT + LAW)


def test_each_test_that_is_named_exists() -> None:
    assert len(NAMED) > 40
    for file, name in NAMED:
        paths = [path for room in ROOMS if (path := TESTS / room / file).is_file()]
        assert len(paths) == 1, file
        tree = ast.parse(paths[0].read_text())
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert name in functions, f"{file}::{name}"


def test_each_row_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and "---" not in line]
    bodies = [row for row in rows if not row.startswith(("| adversary", "| rule"))]
    assert len(bodies) > 20
    assert [row for row in bodies if "::" not in row] == []


def test_each_article_on_data_names_a_test() -> None:
    articles = LAW.partition("## GDPR and LED")[2].partition("## AI Act")[0]
    rows = [line for line in articles.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 10
    assert [row for row in rows if "::" not in row] == []
