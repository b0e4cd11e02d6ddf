"""What is told of how well a face is to be seen: each number says one thing, and that alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sealshot.runtime.pipeline.visibility import NAMES, tell, visibility

LANDMARKS = np.float32([[80, 90], [120, 90], [100, 112], [83, 132], [117, 132]])
SHARPNESS, MEAN, RANGE, OVER, UNIFORM, ROLL, APART = NAMES


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A drawn face, both sides alike: soft skin, and few edges."""
    texture = np.random.default_rng(0).standard_normal((200, 200)).astype(np.float32)
    image = 110 + 60 * cv2.GaussianBlur(texture, (0, 0), 3)
    cv2.ellipse(image, (100, 116), (34, 42), 0, 0, 360, 150, -1)
    image += 60 * cv2.GaussianBlur(texture, (0, 0), 6)
    for x, way in ((80, -1), (120, 1)):
        cv2.ellipse(image, (x, 90), (9, 4), 0, 0, 360, 190, -1)
        cv2.circle(image, (x, 90), 4, 40, -1)
        cv2.ellipse(image, (x, 80), (12, 2), 5 * way, 0, 360, 60, -1)
    cv2.ellipse(image, (100, 112), (6, 3), 0, 0, 180, 90, 2)
    cv2.ellipse(image, (100, 132), (17, 4), 0, 0, 360, 90, -1)
    image[:, 100:] = image[:, 99::-1]
    return cv2.merge([cv2.GaussianBlur(image, (0, 0), 1.2).clip(0, 255).astype(np.uint8)] * 3)


def told(image: np.ndarray, landmarks: np.ndarray = LANDMARKS) -> dict[str, float]:
    return dict(zip(NAMES, visibility(image, landmarks).tolist(), strict=True))


def brighter(image: np.ndarray, gain: float) -> np.ndarray:
    return cv2.convertScaleAbs(image, alpha=gain)


def shaded(image: np.ndarray, by: float) -> np.ndarray:
    """Light from the left alone."""
    return np.round(image * np.linspace(1, 1 - by, 200)[None, :, None]).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "worsen", "levels", "stay"),
    [
        (SHARPNESS, lambda i, s: cv2.GaussianBlur(i, (0, 0), s), (1, 2, 4), (OVER,)),
        (MEAN, brighter, (0.7, 0.4, 0.2), (SHARPNESS, OVER)),
        (RANGE, brighter, (0.7, 0.4, 0.2), (SHARPNESS, OVER)),
        (RANGE, lambda i, s: brighter(i, s) + np.uint8(130 * (1 - s)), (0.7, 0.4, 0.2), (OVER,)),
        (OVER, brighter, (1.5, 2, 3), (ROLL,)),
        (MEAN, brighter, (2, 2.5, 4), (ROLL,)),
        (UNIFORM, shaded, (0.1, 0.3, 0.6), (OVER,)),
    ],
)
def test_a_number_falls_with_what_it_is_named_after(picture, name, worsen, levels, stay):
    all_told = [told(picture), *(told(worsen(picture, level)) for level in levels)]
    values = [one[name] for one in all_told]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 10
    for other in (*stay, ROLL, APART):
        assert [one[other] for one in all_told] == pytest.approx([all_told[0][other]] * 4, abs=3)


@pytest.mark.parametrize("sigma", [5, 10, 20])
def test_noise_is_no_sharpness(picture, sigma):
    soft = cv2.GaussianBlur(picture, (0, 0), 2)
    noise = np.random.default_rng(0).standard_normal((200, 200, 1)) * sigma
    grainy = np.clip(np.round(soft + noise), 0, 255).astype(np.uint8)
    assert told(grainy)[SHARPNESS] < told(picture)[SHARPNESS] - 10


@pytest.mark.parametrize("degrees", [-60, 0, 10, 30, 90, 180])
def test_a_tilt_is_told_and_changes_nothing_else(picture, degrees):
    turn = cv2.getRotationMatrix2D((100, 110), degrees, 1)
    image = cv2.warpAffine(picture, turn, (200, 200), flags=cv2.INTER_CUBIC, borderMode=1)
    landmarks = np.float32(LANDMARKS @ turn[:, :2].T + turn[:, 2])
    level, tilted = told(picture), told(image, landmarks)
    # the standard's way from an angle to 0 to 100
    wanted = 100 * max(np.cos(np.radians(degrees)), 0) ** 2
    assert tilted.pop(ROLL) == pytest.approx(wanted, abs=0.01)
    assert level.pop(ROLL) == 100
    assert tilted == pytest.approx(level, abs=4)


def test_a_face_with_fewer_pixels_is_less_sharp_and_its_size_is_told(picture):
    values = []
    for times in (1, 0.5, 0.25):
        small = cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_AREA)
        values.append(told(small, (LANDMARKS + 0.5) * np.float32(times) - 0.5))
        assert tell(small, LANDMARKS * np.float32(times)).endswith(f"of 100 ({40 * times:.0f} px)")
    for name in (SHARPNESS, APART):
        assert values[0][name] > values[1][name] > values[2][name]
    assert told(np.tile(picture, (3, 3, 1)), LANDMARKS * 2)[APART] == pytest.approx(62.2, abs=0.1)


def test_light_is_that_of_the_standard():
    """Grey 188 is half of the light, and half of the light is well in the middle."""
    values = told(np.full((200, 200, 3), 188, np.uint8))
    mean = 1 / (1 + np.exp((0.2 - 0.502) / 0.05)) * (1 - 1 / (1 + np.exp((0.8 - 0.502) / 0.05)))
    assert values[MEAN] == pytest.approx(100 * mean, abs=0.1)
    assert (values[RANGE], values[OVER], values[UNIFORM], values[SHARPNESS]) == (0, 100, 100, 0)
    half = np.full((200, 200, 3), 188, np.uint8)
    half[:, 100:] = 255  # one of two pixels is overexposed, and one bit tells which
    values = told(half)
    assert values[OVER] == pytest.approx(1 / 0.51, abs=0.05)
    assert values[RANGE] == pytest.approx(12.5, abs=2.5)  # the edge has values of its own
    assert values[UNIFORM] == 0


@pytest.mark.parametrize(
    "landmarks",
    [
        pytest.param(np.zeros((5, 2), np.float32), id="in one place"),
        pytest.param(LANDMARKS + 1e4, id="far outside"),
        pytest.param(LANDMARKS[:, ::-1].copy(), id="mirrored"),
        pytest.param(LANDMARKS * 1e-3, id="within one pixel"),
        pytest.param(np.float32([[0, 0], [9e3, 0], [9, 0], [9e3, 9e3], [9, 9]]), id="beyond all"),
    ],
)
@pytest.mark.parametrize("shape", [(1, 1, 3), (200, 200, 3)])
def test_odd_landmarks_give_numbers_all_the_same(picture, landmarks, shape):
    values = visibility(picture[: shape[0], : shape[1]], landmarks)
    assert values.shape == (len(NAMES),)
    assert ((values >= 0) & (values <= 100)).all()
