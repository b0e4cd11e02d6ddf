"""Write the type stubs of TensorRT's Python bindings that the tests check our calls against.

    pip install pybind11-stubgen numpy ruff
    python extract.py tensorrt-cu12-bindings==10.3.0 tensorrt-cu13-bindings==11.4.0.106

The bindings of each release are on PyPI without the libraries that they call. They do not import
without them; but they take only a dozen C functions from them, and importing calls none. So this
builds libraries of empty functions with gcc, imports the bindings, lets pybind11-stubgen read all
names and signatures, and keeps the classes in KEPT, without their documentation, as
``VERSION/tensorrt.pyi``. What those classes name beyond KEPT is Any.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

KEPT = {
    "Builder", "BuilderFlag", "DataType", "DeviceType", "Dims", "IBuilderConfig", "ICudaEngine",
    "IExecutionContext", "IHostMemory", "ILogger", "INetworkDefinition", "IOptimizationProfile",
    "IProgressMonitor", "ITensor", "ITimingCache", "MemoryPoolType",
    "NetworkDefinitionCreationFlag", "OnnxParser", "ParserError", "Runtime", "TensorIOMode",
}  # fmt: skip
WANTED = {"add_optimization_profile", "__init__", "__len__", "__getitem__", "__int__", "__index__"}
# these return None where they fail, which the signatures leave out
MAY_FAIL = {
    "build_serialized_network", "create_execution_context", "create_timing_cache",
    "deserialize_cuda_engine", "get_timing_cache",
}  # fmt: skip
HEADER = """# {package}: names and signatures, extracted by extract.py; see there.
# mypy: ignore-errors
# ruff: noqa
from __future__ import annotations
import collections.abc
import typing
import typing_extensions
from typing import Any
__version__: str
"""


def main(packages: list[str]) -> None:
    """Write one stub file a package."""
    for package in packages:
        with tempfile.TemporaryDirectory() as folder:
            stub = generate(package, Path(folder))
        out = Path(__file__).parent / package.partition("==")[2] / "tensorrt.pyi"
        out.parent.mkdir(exist_ok=True)
        out.write_text(HEADER.format(package=package) + reduce(stub))
        subprocess.run(["ruff", "format", "-q", str(out)], check=True)
        print(f"{out}: {out.stat().st_size} bytes")


def generate(package: str, work: Path) -> str:
    """Download a package of bindings and return its full stub."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(work), package]
    subprocess.run(pip, check=True)
    with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
        wheel.extractall(work)
    library = work / "tensorrt_bindings/tensorrt.so"
    dynamic = _output("readelf", "-d", str(library)).splitlines()
    needed = [line.split("[")[1].rstrip("]") for line in dynamic if "NEEDED" in line]
    symbols = _output("nm", "-D", "--undefined-only", str(library)).split()
    ours = [s for s in symbols if s.startswith(("create", "getPlugin", "getBuilder", "getNv"))]
    source = work / "empty.c"
    empty = {*ours, "initLibNvInferPlugins"}
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in sorted(empty)))
    for name in (n for n in needed if n.startswith("libnv")):
        gcc = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(work / name)]
        subprocess.run([*gcc, str(source)], check=True)
    paths = {"LD_LIBRARY_PATH": str(work), "PYTHONPATH": str(work)}
    stubgen = [sys.executable, "-m", "pybind11_stubgen", "tensorrt_bindings.tensorrt"]
    subprocess.run(
        [*stubgen, "-o", str(work / "stubs"), "--ignore-all-errors"],
        env={**os.environ, **paths},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return (work / "stubs/tensorrt_bindings/tensorrt.pyi").read_text()


def reduce(stub: str) -> str:
    """Return the part of a stub that defines KEPT, and the constants of their types."""
    tree = ast.parse("\n".join(map(_valid, stub.splitlines())))
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name in KEPT]
    missing = KEPT - {c.name for c in classes}
    if missing:
        raise SystemExit(f"the bindings have no {', '.join(sorted(missing))}")
    constants = [
        node
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id != "bool"  # a constant by that name would hide the type
        and ast.unparse(node.annotation) in KEPT
    ]
    body = [_strip(c) for c in classes]
    named = {n.id for c in body for n in ast.walk(c) if isinstance(n, ast.Name)}
    others = {n.name for n in tree.body if isinstance(n, ast.ClassDef)} & named - KEPT
    lines = [f"{name} = Any" for name in sorted(others)]
    text = "\n".join([*lines, *(ast.unparse(node) for node in (*body, *constants))]) + "\n"
    return text.replace("typing.SupportsInt", "int")  # what is converted, some releases call so


def _valid(line: str) -> str:
    """Take the arguments from a signature that is no Python: one is named `in`, for one."""
    found = re.match(r"(\s*)(def \w+)\(", line)
    try:
        if found:
            ast.parse(line.strip() + " ...")
    except SyntaxError:
        return f"{found[1]}{found[2]}(*args: Any, **kwargs: Any) -> Any:"
    return line


def _strip(node: ast.ClassDef) -> ast.ClassDef:
    """Drop documentation, layers, and what Python's machinery calls; Any where nothing is known."""
    body: list[ast.stmt] = []
    documentation = ast.get_docstring(node) or ""
    for item in node.body:
        if isinstance(item, ast.ClassDef):
            body.append(_strip(item))
        elif isinstance(item, ast.FunctionDef):
            if item.name in WANTED or not item.name.startswith(("__", "add_")):
                item.body = [ast.Expr(ast.Constant(...))]
                if item.name in MAY_FAIL and item.returns:
                    item.returns = ast.BinOp(item.returns, ast.BitOr(), ast.Constant(None))
                body.append(_known(item))
        elif isinstance(item, ast.AnnAssign) and not ast.unparse(item.target).startswith("__"):
            body.append(_known(item))
    if "buffer protocol" in documentation:  # pybind11's buffers are no method that a stub shows
        body += ast.parse("def __buffer__(self, flags: int, /) -> memoryview: ...").body
    node.body = body or [ast.Expr(ast.Constant(...))]
    return node


def _known(node: ast.stmt) -> ast.stmt:
    for each in ast.walk(node):
        for field in ("annotation", "returns"):
            kind = getattr(each, field, None)
            if isinstance(kind, ast.Constant) and kind.value is ...:
                setattr(each, field, ast.Name("Any"))
    return node


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(sys.argv[1:])
