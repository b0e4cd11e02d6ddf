"""Which model a file is: the hash of all that it is made of, weights in side files included.

An ONNX file may keep tensors in files beside it (``external_data`` of a TensorProto, onnx.proto of
onnx 1.23). Their names are found here by walking the message: the runtime does without the package
`onnx`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sealshot.runtime.errors import InputError

TENSOR = "TensorProto"
CHILDREN: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: TENSOR, 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: TENSOR,
        6: "GraphProto",
        10: TENSOR,
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: TENSOR, 2: TENSOR},
}
"""Message -> number of a field -> the message in it: the way to every tensor."""
EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of a TensorProto; a location of 1 says that the data is external."""
DEEPEST = 100
"""Messages in messages, as protobuf itself allows."""
VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)


def model_sha256(model: Path) -> str:
    """Return the hash that names a model, hexadecimal.

    Of a file alone it is its sha256; with side files, the sha256 of a line of sha256 and name for
    each, the file itself first and without a name.

    Raises:
        InputError: a file is missing or cannot be read, or lies outside the model's folder.
    """
    data = _read(model)
    own = hashlib.sha256(data).hexdigest()
    others = side_files(data)
    if not others:
        return own
    lines = [f"{own} \n"]
    for name in others:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise InputError(
                f"{model} keeps weights in {name}, outside its folder",
                hint="save the model anew, with its weights beside it or inside",
            )
        lines.append(f"{hashlib.sha256(_read(model.parent / path)).hexdigest()} {name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def side_files(data: bytes) -> tuple[str, ...]:
    """Return the names of the files that hold tensors of an ONNX file; none where it is no such.

    Args:
        data: of the ONNX file.
    """
    try:
        return tuple(sorted(set(_locations(memoryview(data), "ModelProto", 0))))
    except (ValueError, IndexError):
        return ()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}",
            hint="check the path; a model's side files lie beside it",
        ) from error


def _locations(data: memoryview, message: str, depth: int) -> Iterator[str]:
    """Yield the locations of the external tensors in a message."""
    if depth > DEEPEST:
        raise ValueError("messages in messages without end")
    if message == TENSOR:
        yield from _location(data)
        return
    for number, value in _fields(data):
        child = CHILDREN[message].get(number)
        if child and isinstance(value, memoryview):
            yield from _locations(value, child, depth + 1)


def _location(tensor: memoryview) -> Iterator[str]:
    external, found = False, []
    for number, value in _fields(tensor):
        if number == DATA_LOCATION:
            external = value == 1
        elif number == EXTERNAL_DATA and isinstance(value, memoryview):
            entry = {n: bytes(v) for n, v in _fields(value) if isinstance(v, memoryview)}
            if entry.get(1) == b"location":
                found.append(entry.get(2, b"").decode())
    if external:
        yield from found


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a protobuf message; of numbers, the varints alone."""
    at, groups = 0, 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        value: int | memoryview | None = None
        if kind == VARINT:
            value, at = _varint(data, at)
        elif kind == BYTES:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("a field is longer than its message")
            value, at = data[at : at + size], at + size
        elif kind in (FIXED32, FIXED64):
            at += 4 if kind == FIXED32 else 8
        elif kind in (GROUP, END_GROUP):
            groups += 1 if kind == GROUP else -1
        else:
            raise ValueError(f"there is no wire type {kind}")
        if value is not None and not groups:
            yield number, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
    raise ValueError("a number of more than 64 bits")
