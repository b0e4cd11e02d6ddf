from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from sealshot.kernels.rtl import protocol
from sealshot.kernels.rtl.reference import IntegerNet, float_layers, float_outputs, requantise
from sealshot.kernels.rtl.sequencer import FIELDS, table
from sealshot.kernels.rtl.shape import LAYERS
from sealshot.kernels.rtl.words import activations, parameter_words, weight_words
from sealshot.runtime.engines import open_onnxruntime
from sealshot.runtime.weights import score_graph


def test_the_float_reference_is_the_score_that_ships(hard_crops: np.ndarray) -> None:
    model = onnx.load(score_graph("quality"))
    layers = float_layers({t.name: numpy_helper.to_array(t) for t in model.graph.initializer})
    scores = open_onnxruntime(score_graph("quality")).score(hard_crops)
    np.testing.assert_allclose(float_outputs(layers, hard_crops)[-1].ravel(), scores, atol=2e-5)


def test_a_net_of_another_shape_is_refused() -> None:
    model = onnx.load(score_graph("quality"))
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    tensors["body.9.weight"] = tensors["body.9.weight"][:32]
    with pytest.raises(ValueError, match=r"body\.9"):
        float_layers(tensors)


def test_cycles_are_those_of_128_multipliers_without_padding() -> None:
    assert sum(layer.cycles for layer in LAYERS) == 69_492
    assert sum(layer.weight_words for layer in LAYERS) == 2_760


def test_the_table_fits_its_fields() -> None:
    for line in table():
        for name, bits in FIELDS.items():
            assert 0 <= getattr(line, name) < 2**bits, name


def test_requantisation_rounds_clips_and_has_the_slope_13_of_128(drawn_net: IntegerNet) -> None:
    layer = drawn_net.layers[1]
    acc = np.random.default_rng(2).integers(-(2**23), 2**23, (64, 32, 4, 4))
    acc[0, :, 0, 0] = (-(2**23), 2**23 - 1, 0, -1) * 8
    found = requantise(layer, acc)
    for value, channel in ((acc[0, c, 0, 0], c) for c in range(32)):
        t = min(max(int(value) >> int(layer.shifts[channel]), -(2**17)), 2**17 - 1)
        exact = t * int(layer.multipliers[channel]) * (1 if t >= 0 else 26 / 256) / 2**20
        assert found[0, channel, 0, 0] == min(max(np.floor(exact + 0.5), -256), 255)
    assert found.min() >= -256
    assert found.max() <= 255


def test_words_hold_every_number(drawn_net: IntegerNet) -> None:
    weights, parameters = weight_words(drawn_net), parameter_words(drawn_net)
    assert weights.shape == (2760, 128)
    total = sum(int(layer.weights.astype(np.int64).sum()) for layer in drawn_net.layers)
    assert int(weights.view(np.int8).astype(np.int64).sum()) == total
    second = int.from_bytes(parameters[4].tobytes(), "little") >> 43  # channel 1 of layer 1
    layer = drawn_net.layers[1]
    assert second & (2**24 - 1) == int(layer.bias[1]) & (2**24 - 1)
    assert second >> 24 & (2**16 - 1) == layer.multipliers[1]
    assert second >> 40 & 7 == layer.shifts[1]


def test_activations_are_read_with_their_sign() -> None:
    word = sum((value & 511) << 9 * i for i, value in enumerate((-256, 255, -1, 1)))
    words = np.frombuffer(word.to_bytes(5, "little"), np.uint8)[None]
    assert activations(words, 4, 1).ravel().tolist() == [-256, 255, -1, 1]


def test_frames_come_back_whole_and_damaged_ones_do_not() -> None:
    body = bytes(range(256)) * 2 + bytes((192, 219, 220, 221)) * 4
    packet = protocol.slip(protocol.checked(body))
    assert packet[0] == packet[-1] == protocol.END
    assert protocol.END not in packet[1:-1]
    assert protocol.whole(packet[1:-1]) == body
    for at in (1, 100, len(packet) - 2):
        broken = bytearray(packet)
        broken[at] ^= 1
        assert protocol.whole(bytes(broken[1:-1])) != body


def test_blocks_of_a_picture_are_its_pixels() -> None:
    from sealshot.kernels.rtl.reference import blocks

    picture = np.random.default_rng(3).integers(0, 256, (64, 64), np.uint8)
    assert np.array_equal(blocks(picture[None, None])[0, 1], picture[::2, 1::2])
