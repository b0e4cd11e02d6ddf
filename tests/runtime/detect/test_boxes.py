"""Boxes: overlap, suppression, squares, against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sealshot.runtime.detect.boxes import iou, nested, square, suppress, suppress_nested

EMPTY = np.empty((0, 4), np.float32)


def boxes_of(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def plain_iou(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / whole if whole > 0 else 0


def plain_suppression(boxes, scores, overlap):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(plain_iou(boxes[i], boxes[j]) <= overlap for j in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0),
        ((0, 0, 10, 10), (30, 30, 40, 40), 0),
        ((0, 0, 10, 10), (12, 12, 22, 22), 0),  # apart on both axes: two negative sides
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),
        ((-10, -10, 0, 0), (-5, -10, 5, 0), 1 / 3),
        ((3, 3, 3, 3), (3, 3, 3, 3), 0),
    ],
)
def test_iou_by_hand(a, b, expected):
    assert iou(boxes_of(a), boxes_of(b)) == pytest.approx(np.array([[expected]]))
    assert iou(boxes_of(b), boxes_of(a)) == pytest.approx(np.array([[expected]]))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (2, 2, 4, 4), 1),
        ((0, 0, 10, 10), (8, 0, 12, 10), 0.5),
        ((0, 0, 10, 10), (12, 12, 22, 22), 0),
        ((3, 3, 3, 3), (0, 0, 10, 10), 0),
    ],
)
def test_nested_by_hand(a, b, expected):
    assert nested(boxes_of(a), boxes_of(b)) == pytest.approx(np.array([[expected]]))
    assert nested(boxes_of(b), boxes_of(a)) == pytest.approx(np.array([[expected]]))


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (2, 0)])
def test_iou_of_nothing_has_its_shape(n, m):
    assert iou(np.ones((n, 4), np.float32), np.ones((m, 4), np.float32)).shape == (n, m)


# whole numbers, so that float32 and float64 agree on which side of the limit an overlap lies
BOXES = arrays.arrays(
    np.int64, st.tuples(st.integers(0, 25), st.just(4)), elements=st.integers(0, 30)
)


@given(BOXES, st.sampled_from([0.31, 0.47, 0.71]), st.randoms())
def test_suppression_keeps_what_a_plain_loop_keeps(raw, overlap, chance):
    boxes = raw.astype(np.float32)
    boxes[:, 2:] = boxes[:, :2] + 1 + boxes[:, 2:]
    order = list(range(len(boxes)))
    chance.shuffle(order)
    scores = (1 + np.array(order, np.float32)) / (1 + len(boxes))
    assert suppress(boxes, scores, overlap).tolist() == plain_suppression(boxes, scores, overlap)


@pytest.mark.parametrize("function", [suppress, suppress_nested])
def test_suppressing_nothing_keeps_nothing(function):
    kept = function(EMPTY, np.empty(0, np.float32), 0.5)
    assert kept.shape == (0,)
    assert EMPTY[kept].shape == (0, 4)


@pytest.mark.parametrize("function", [suppress, suppress_nested])
def test_an_overlap_at_the_limit_stays(function):
    boxes = boxes_of((0, 0, 30, 30), (10, 0, 40, 30))  # IoU exactly 1/2
    limit = 0.5 if function is suppress else 2 / 3
    scores = np.array([0.8, 0.9], np.float32)
    assert function(boxes, scores, limit).tolist() == [1, 0]
    assert function(boxes, scores, limit - 0.01).tolist() == [1]


def test_a_box_inside_another_goes_only_when_nested_ones_do():
    boxes = boxes_of((0, 0, 100, 100), (20, 20, 60, 60))
    scores = np.array([0.9, 0.8], np.float32)
    assert suppress(boxes, scores, 0.5).tolist() == [0, 1]
    assert suppress_nested(boxes, scores, 0.5).tolist() == [0]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10)),
        ((0, 0, 10, 20), (-5, 0, 15, 20)),
        ((4, 6, 14, 8), (4, 2, 14, 12)),
    ],
)
def test_squares_by_hand(box, expected):
    assert square(boxes_of(box)).tolist() == [list(expected)]


def test_squaring_nothing_gives_nothing():
    assert square(EMPTY).shape == (0, 4)
