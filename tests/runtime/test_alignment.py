"""Where a face lies: eyes cut out upright, mirrored and of one size, wherever the face is."""

import cv2
import numpy as np
import pytest

from sealshot.runtime.alignment import EYE_PX, EYES_APART_PX, UPRIGHT, cut_eyes, sample, upright


def placed(apart: float, turn_deg: float, x: float, y: float) -> np.ndarray:
    """Landmarks of the mean face: its eyes so far apart, turned, their middle at a place."""
    turn = np.exp(1j * np.radians(turn_deg)) * apart
    at = (UPRIGHT @ [1, 1j]) * turn + complex(x, y)
    return np.column_stack([at.real, at.imag]).astype(np.float32)


def drawn(landmarks: np.ndarray, apart: float, turn_deg: float) -> np.ndarray:
    """A face whose eyes are dark, with a white spot beside each, away from the nose."""
    image = np.full((600, 700, 3), 120, np.uint8)
    away = np.exp(1j * np.radians(turn_deg)) * apart
    for side, (x, y) in zip((-1, 1), landmarks[:2].tolist(), strict=True):
        spot = complex(x, y) + side * 0.3 * away
        for at, grey, size in ((complex(x, y), 0, 0.12), (spot, 255, 0.1)):
            centre = round(16 * at.real), round(16 * at.imag)
            cv2.circle(image, centre, round(16 * size * apart), [grey] * 3, -1, cv2.LINE_AA, 4)
    return image


@pytest.mark.parametrize(
    ("apart", "turn_deg"), [(32, 0), (32, 35), (90, -20), (150, 180), (20, 8), (250, 3)]
)
def test_eyes_are_cut_upright_and_of_one_size(apart, turn_deg):
    landmarks = placed(apart, turn_deg, 330.3, 240.7)
    (left, right), other = cut_eyes(
        drawn(landmarks, apart, turn_deg), [landmarks, landmarks + np.float32(1000)]
    )
    rows, columns = EYE_PX
    assert np.array_equal(other, np.full_like(other, 120))  # beyond the picture its edge goes on
    for eye in (left, right):
        assert eye.shape == EYE_PX
        dark = np.argwhere(eye < 40).mean(axis=0)
        bright = np.argwhere(eye > 200).mean(axis=0)
        assert dark == pytest.approx([(rows - 1) / 2, (columns - 1) / 2], abs=0.7)
        # the nose is on the right of both
        assert bright - dark == pytest.approx([0, -0.3 * EYES_APART_PX], abs=1)


def test_faces_of_all_sizes_keep_their_order():
    rng = np.random.default_rng(1)
    image = cv2.blur(rng.integers(0, 256, (600, 700, 3), np.uint8), (9, 9))
    faces = [placed(a, 9 * a, 330, 240) for a in (150, 20, 60, 250, 21)]
    alone = [cut_eyes(image, [face])[0] for face in faces]
    assert np.array_equal(cut_eyes(image, faces), alone)


def test_a_profile_is_sized_by_all_five_landmarks():
    landmarks = np.float32([[50, 50], [51, 50], [62, 60], [52, 72], [54, 72]])
    turn = upright(landmarks)[:, :2]
    assert 0.5 < np.hypot(*turn[:, 0]) < 3  # not 32 times as large


def test_landmarks_in_one_place_give_a_cut_all_the_same():
    assert cut_eyes(np.zeros((9, 9, 3), np.uint8), [np.zeros((5, 2), np.float32)]).shape == (
        1,
        2,
        *EYE_PX,
    )
    assert cut_eyes(np.zeros((9, 9, 3), np.uint8), []).shape == (0, 2, *EYE_PX)


def test_a_pixel_is_the_mean_of_what_it_covers():
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (64, 64), np.uint8)
    quarter = np.array([[0.25, 0, -0.375], [0, 0.25, -0.375]])  # the middle of 4 pixels
    expected = cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA)
    assert np.abs(sample(grey, quarter, 16, 16).astype(int) - expected).max() <= 1
    assert np.array_equal(sample(grey, np.eye(2, 3), 64, 64), grey)
