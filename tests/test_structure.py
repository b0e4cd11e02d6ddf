"""The rules of runtime/ARCHITECTURE.md: who may import whom, no circle, no module too long."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 400  # lines of a module

MAY_IMPORT = {
    "kernels": set(),
    "boards": set(),
    "runtime": {"kernels", "boards"},
    "export": {"runtime", "kernels", "boards"},
    "benchmarks": {"export", "runtime", "kernels", "boards"},
}
"""Folder -> the other folders of sealshot that it may import."""

ONLY_FOREIGN = {
    "kernels": {"numpy"},
    "kernels/rtl": {"numpy", "scipy", "amaranth"},
    "boards": {"tomli"},
}
"""Folder -> the packages of others that it may import; from Python 3.11 on, tomli is its own."""


@dataclass(frozen=True)
class Import:
    """One import of a module, with sealshot's own modules named without ``sealshot.``."""

    module: str
    own: bool
    lazy: bool
    """Inside a function: done when it is needed."""


def modules() -> dict[str, Path]:
    """All modules of the package: name without ``sealshot.`` -> file."""
    found = {}
    for folder in MAY_IMPORT:
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(path: Path) -> Iterator[Import]:
    """What a module imports."""
    yield from _visit(ast.parse(path.read_text()), lazy=False)


def _visit(node: ast.AST, *, lazy: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield _import(alias.name, lazy)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports are not used here"
        for alias in node.names:
            yield _import(f"{node.module}.{alias.name}", lazy)
    for child in ast.iter_child_nodes(node):
        yield from _visit(child, lazy=lazy or isinstance(node, ast.FunctionDef | ast.Lambda))


def _import(name: str, lazy: bool) -> Import:
    top, _, rest = name.partition(".")
    if top != "sealshot":
        return Import(top, own=False, lazy=lazy)
    while rest and rest not in MODULES:  # a name inside a module
        rest = rest.rpartition(".")[0]
    return Import(rest, own=True, lazy=lazy)


IMPORTS = {name: tuple(imports(path)) for name, path in MODULES.items()}


def room(module: str) -> str:
    """The folder of a module, with dots."""
    return ".".join(MODULES[module].parent.relative_to(ROOT).parts)


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """Return a circle of a graph, or nothing."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def arrows_between_modules() -> dict[str, set[str]]:
    return {
        name: {i.module for i in found if i.own and i.module and not i.lazy}
        for name, found in IMPORTS.items()
    }


def test_the_rules_see_the_whole_package() -> None:
    assert len(MODULES) > 200
    assert Import("runtime.types", own=True, lazy=False) in IMPORTS["runtime.crops"]
    assert Import("runtime.cli.terminal", own=True, lazy=True) in IMPORTS["runtime.cli.main"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []


def test_no_module_is_too_long() -> None:
    files = [*MODULES.values(), *(ROOT / "tests").rglob("*.py")]
    files = [file for file in files if "node_modules" not in file.parts]
    lines = {file: len(file.read_text().splitlines()) for file in files}
    assert {str(file): count for file, count in lines.items() if count > LONGEST} == {}


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_nothing_imports_upward(folder: str) -> None:
    allowed = MAY_IMPORT[folder] | {folder}
    wrong = {
        (name, found.module)
        for name in MODULES
        if name.partition(".")[0] == folder
        for found in IMPORTS[name]
        if found.own and found.module and found.module.partition(".")[0] not in allowed
    }
    assert wrong == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(arrows_between_modules()) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    rooms: dict[str, set[str]] = {}
    for name, targets in arrows_between_modules().items():
        here = room(name)
        rooms.setdefault(here, set()).update({room(target) for target in targets} - {here})
    assert circle(rooms) == []


@pytest.mark.parametrize("folder", ONLY_FOREIGN)
def test_kernels_and_boards_need_next_to_nothing(folder: str) -> None:
    inner = [other for other in ONLY_FOREIGN if other.startswith(f"{folder}/")]
    foreign = {
        (name, found.module)
        for name, path in MODULES.items()
        if _is_in(path, folder) and not any(_is_in(path, other) for other in inner)
        for found in IMPORTS[name]
        if not found.own and found.module not in sys.stdlib_module_names
    }
    assert {pair for pair in foreign if pair[1] not in ONLY_FOREIGN[folder]} == set()


def test_the_runtime_never_imports_torch() -> None:
    torch = {
        name
        for name, found in IMPORTS.items()
        if name.startswith("runtime") and any(i.module.startswith("torch") for i in found)
    }
    assert torch == set()


def test_only_the_command_line_prints() -> None:
    """Rooms below `cli` raise and log; a loop of theirs must be usable in a service."""
    printing = {
        name
        for name, path in MODULES.items()
        if name.startswith("runtime")
        and not name.startswith(("runtime.cli", "runtime.api.examples"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id == "print"
    }
    assert printing == set()


def test_nothing_below_the_command_line_imports_it() -> None:
    below = {
        name
        for name, found in IMPORTS.items()
        if name.startswith("runtime.") and not name.startswith("runtime.cli")
        if any(i.own and i.module.startswith("runtime.cli") for i in found)
    }
    assert below == set()


def _is_in(path: Path, folder: str) -> bool:
    return (ROOT / folder) in path.parents
