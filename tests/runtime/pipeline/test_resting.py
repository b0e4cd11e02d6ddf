"""Who is far from their best is not rated in the frame that follows at once, nor wins there."""

import numpy as np
import pytest

from sealshot.runtime.pipeline.resting import AT_ONCE_S, FAR, Resting
from sealshot.runtime.types import Face, Ratings, Track, Tracks

STEP_S = AT_ONCE_S * 0.8


@pytest.fixture
def scene():
    """Rates tracks as it is told, and says of whom it was asked."""
    resting, at_s = Resting(), [0.0]

    def rate(orders, ended=(), step_s=STEP_S):
        at_s[0] += step_s
        face = Face(np.zeros(4, np.float32), 1.0, np.zeros((5, 2), np.float32))
        tracks = Tracks(tuple(Track(id, face, 1) for id in orders), ended)
        awake = resting.awake(at_s[0], tracks)
        assert awake.ended == ended
        asked = [track.id for track in awake.seen]
        quality = np.float32([orders[id] + 1 for id in asked])
        rated = Ratings.of(quality, np.full((len(asked), 1), -1, np.float32))
        ratings = resting.complete(at_s[0], tracks, awake, rated)
        return ratings.order.tolist(), asked

    return rate, resting


def test_who_is_far_from_the_best_rests_for_one_frame(scene):
    rate, _ = scene
    far = -FAR - 0.5
    assert rate({1: 0.0, 2: 0.0}) == ([0.0, 0.0], [1, 2])
    assert rate({1: far, 2: -FAR + 0.5}) == ([far, -FAR + 0.5], [1, 2])
    assert rate({1: 5.0, 2: 0.5}) == ([far, 0.5], [2])  # 5 is not seen
    assert rate({1: far, 2: 0.0}) == ([far, 0.0], [1, 2])  # nobody rests twice on end
    assert rate({1: 1.0, 2: 0.0})[1] == [2]
    assert rate({1: 1.0, 2: 0.0}) == ([1.0, 0.0], [1, 2])


def test_the_best_is_that_of_all_frames(scene):
    rate, _ = scene
    for order in (-1.0, -2.0, 0.0, 0.0):
        rate({1: order})
    assert rate({1: -FAR - 0.1})[1] == [1]
    assert rate({1: 0.0})[1] == []


def test_nobody_rests_where_frames_do_not_follow_at_once(scene):
    rate, _ = scene
    rate({1: 0.0})
    rate({1: -FAR - 1})
    assert rate({1: 1.0}, step_s=1.5 * AT_ONCE_S) == ([1.0], [1])


def test_who_has_left_is_forgotten(scene):
    rate, resting = scene
    rate({1: 0.0, 2: 0.0})
    rate({1: -FAR - 1, 2: -FAR - 1})
    resting.forget((1,))
    assert rate({1: -9.0}, ended=(2,))[1] == [1]
    assert rate({2: -9.0})[1] == [2]
    assert rate({2: -9.0})[1] == [2]  # its best is -9 now
