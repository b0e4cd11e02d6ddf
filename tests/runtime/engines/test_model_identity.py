"""A model's hash covers all that it is made of, in side files too."""

import hashlib
import weakref

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data

from sealshot.runtime.engines import identity
from sealshot.runtime.engines.identity import model_sha256, side_files
from sealshot.runtime.engines.onnx_session import open_session
from sealshot.runtime.errors import InputError
from sealshot.runtime.weights import FOLDER


def graph(outside=None, where="initializer"):
    """A graph that adds a constant, which lies where it is wanted."""
    constant = numpy_helper.from_array(np.arange(64, dtype=np.float32), "constant")
    add = helper.make_node("Add", ["x", "constant"], ["y"])
    nodes, initializers, functions = [add], [constant], []
    if where == "attribute":
        nodes = [helper.make_node("Constant", [], ["constant"], value=constant), add]
        initializers = []
    elif where == "subgraph":
        inner = helper.make_graph(
            [helper.make_node("Identity", ["constant"], ["z"])],
            "inner",
            [],
            [helper.make_tensor_value_info("z", TensorProto.FLOAT, [64])],
            [constant],
        )
        yes = helper.make_node(
            "Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))
        )
        both = helper.make_node("If", ["yes"], ["w"], then_branch=inner, else_branch=inner)
        nodes = [yes, both, helper.make_node("Add", ["x", "w"], ["y"])]
        initializers = []
    value = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [value("x", TensorProto.FLOAT, [64])],
            [value("y", TensorProto.FLOAT, [64])],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        functions=functions,
    )
    model.ir_version = 8
    if outside:
        convert_model_to_external_data(
            model, location=outside, size_threshold=0, convert_attribute=where != "initializer"
        )
    return model


@pytest.mark.parametrize("where", ["initializer", "attribute", "subgraph"])
def test_weights_beside_a_model_are_found_and_in_its_hash(tmp_path, where):
    path = tmp_path / "m.onnx"
    onnx.save(graph("m.onnx.data", where), path)
    assert side_files(path.read_bytes()) == ("m.onnx.data",)
    before = model_sha256(path)
    weights = tmp_path / "m.onnx.data"
    main = path.read_bytes()
    weights.write_bytes(weights.read_bytes()[::-1])
    assert path.read_bytes() == main
    assert model_sha256(path) != before
    weights.unlink()
    with pytest.raises(InputError, match=r"m.onnx.data cannot be read"):
        model_sha256(path)


def test_other_weights_beside_a_model_give_other_numbers(tmp_path):
    """Why they must be in its hash."""
    path = tmp_path / "m.onnx"
    onnx.save(graph("m.onnx.data"), path)
    x = np.zeros(64, np.float32)
    (first,) = open_session(path).run(None, {"x": x})
    weights = tmp_path / "m.onnx.data"
    weights.write_bytes(np.full(64, 7, np.float32).tobytes().ljust(weights.stat().st_size, b"\0"))
    (second,) = open_session(path).run(None, {"x": x})
    assert first.tolist() == list(range(64))
    assert second.tolist() == [7] * 64


def test_a_model_is_open_once_for_all_who_use_it_and_closed_by_the_last(tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(graph("m.onnx.data"), path)
    first = open_session(path, threads=1)
    assert open_session(path, threads=1) is first
    assert open_session(path, threads=2) is not first
    weights = tmp_path / "m.onnx.data"
    weights.write_bytes(weights.read_bytes()[::-1])
    assert open_session(path, threads=1) is not first  # a camera that is opened anew takes these
    closed = weakref.ref(first)
    del first
    assert closed() is None


def test_a_model_in_one_file_has_the_hash_of_the_file(tmp_path):
    for path in (FOLDER / "quality.onnx", FOLDER / "rp.int8.onnx"):
        assert side_files(path.read_bytes()) == ()
        assert model_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_hash_tells_which_weights_lie_in_which_file(tmp_path):
    path = tmp_path / "m.onnx"
    model = graph()
    second = numpy_helper.from_array(np.ones(64, np.float32), "second")
    model.graph.initializer.append(second)
    convert_model_to_external_data(model, all_tensors_to_one_file=False, size_threshold=0)
    onnx.save(model, path)
    names = side_files(path.read_bytes())
    assert len(names) == 2
    before = model_sha256(path)
    one, other = (tmp_path / name for name in names)
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    assert model_sha256(path) != before


@pytest.mark.parametrize("name", ["../m.data", "/etc/hostname", "a/../../m.data"])
def test_weights_outside_the_folder_are_refused(tmp_path, name):
    model = graph("m.data")
    onnx.save(model, tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = name
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="outside its folder"):
        model_sha256(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"junk" * 100,
        b"\x3a\xff",  # a graph that is longer than the file
        b"\xff" * 20,  # a number without end
        b"\x3a",  # a graph of no length
        b"\x0f",  # wire type 7
    ],
)
def test_what_is_no_model_has_no_side_files(junk):
    assert side_files(junk) == ()


def test_groups_and_unknown_fields_are_passed_over():
    data = graph("m.data").SerializeToString()
    unknown = b"\xf3\x06\x08\x01\xf4\x06" + b"\xfd\x06abcd" + b"\xf9\x06abcdefgh"
    assert side_files(unknown + data) == side_files(data) == ("m.data",)


def test_graphs_in_graphs_without_end_are_no_model():
    data = b""
    for _ in range(identity.DEEPEST):
        for field in (0x32, 0x2A, 0x0A):  # attribute.g, node.attribute, graph.node
            size = len(data)
            data = bytes([field, size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + data
    size = len(data)
    model = bytes([0x3A, size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + data
    assert side_files(model) == ()
