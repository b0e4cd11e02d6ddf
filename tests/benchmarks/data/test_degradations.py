"""Degradations: what each does to a chip, and that severities are comparable."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from sealshot.benchmarks.data.degradations import (
    CHIP_PX,
    DEGRADATIONS,
    MIDDLE,
    make_chip,
)
from sealshot.runtime.detect import open_detector

BY_NAME = {d.name: d for d in DEGRADATIONS}


@pytest.fixture
def chip(portrait_view):
    return make_chip(portrait_view)


def worse(chip, name, level, seed=0):
    severity = BY_NAME[name].levels[level]
    return BY_NAME[name].apply(chip, severity, np.random.default_rng(seed))


def distance(chip, name, level, seed=0):
    a, b = chip.view(1).crop.astype(float), worse(chip, name, level, seed).view(1).crop
    return float(np.mean((a - b) ** 2))


def test_chip_has_the_face_in_its_middle(chip, portrait_view):
    assert chip.image.shape == (CHIP_PX, CHIP_PX, 3)
    clean = chip.view(0.5)
    np.testing.assert_array_equal(
        clean.crop, cv2.cvtColor(chip.image[MIDDLE, MIDDLE], cv2.COLOR_BGR2GRAY)
    )
    # the same as the pipeline's crop, but for the order of scaling and greying
    assert np.abs(clean.crop.astype(int) - portrait_view.crop).max() <= 1
    scale = 64 / 104
    expected = (portrait_view.face.landmarks - [121 - 52, 60]) * scale + 64
    np.testing.assert_allclose(chip.landmarks, expected, atol=0.5)


@pytest.mark.parametrize("name", BY_NAME)
def test_each_severity_changes_the_crop_and_nothing_else(name, chip):
    before = chip.image.copy()
    for level in range(3):
        changed = worse(chip, name, level)
        assert distance(chip, name, level) > 0.5
        assert changed.image.shape == chip.image.shape
        assert changed.image.dtype == np.uint8
        np.testing.assert_array_equal(
            worse(chip, name, level).view(1).crop, changed.view(1).crop
        )  # the same seed, the same picture
    np.testing.assert_array_equal(chip.image, before)


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - {"non-face"}))
def test_harsher_is_farther_from_the_clean_crop(name, chip):
    for seed in range(5):
        mild, middle, harsh = (distance(chip, name, level, seed) for level in range(3))
        assert mild < middle < harsh


def test_noise_has_the_strength_that_it_says(chip):
    flat = type(chip)(np.full_like(chip.image, 128), chip.box, chip.landmarks)
    for level, sigma in enumerate(BY_NAME["noise"].levels):
        noisy = worse(flat, "noise", level).image.astype(float)
        assert noisy.std() == pytest.approx(sigma, rel=0.03)


def test_motion_blur_keeps_brightness_and_reaches_its_length(chip):
    point = type(chip)(np.zeros_like(chip.image), chip.box, chip.landmarks)
    point.image[96, 96] = 255
    for seed in range(10):
        smear = worse(point, "motion blur", 2, seed).image[..., 0]
        y, x = np.nonzero(smear)
        assert max(np.ptp(x), np.ptp(y)) <= 14
        assert np.hypot(np.ptp(x), np.ptp(y)) >= 13
        assert float(smear.sum()) == pytest.approx(255, rel=0.15)


def test_rotation_takes_the_landmarks_along(chip):
    marked = type(chip)(np.zeros_like(chip.image), chip.box, chip.landmarks)
    for x, y in chip.landmarks.round().astype(int):
        cv2.circle(marked.image, (int(x), int(y)), 4, (255, 255, 255), -1)
    for seed in range(4):
        turned = worse(marked, "rotation", 2, seed)
        for x, y in turned.landmarks.round().astype(int):
            assert turned.image[y, x, 0] > 200


@pytest.mark.parametrize("tilt", [-7, 7])
def test_rotation_never_sets_a_tilted_face_upright(chip, tilt):
    """Whoever leans to one side leans farther to it: each severity is as many degrees more."""
    turn = cv2.getRotationMatrix2D((CHIP_PX / 2, CHIP_PX / 2), tilt, 1.0)
    leaning = replace(chip, landmarks=chip.landmarks @ turn[:, :2].T + turn[:, 2])

    def degrees(of):
        return float(np.degrees(np.arctan2(*(of.landmarks[1] - of.landmarks[0])[::-1])))

    for level, more in enumerate(BY_NAME["rotation"].levels):
        tilted = degrees(worse(leaning, "rotation", level))
        assert abs(tilted) == pytest.approx(abs(degrees(leaning)) + more, abs=0.1)
        assert np.sign(tilted) == np.sign(degrees(leaning))


def test_misaligned_box_is_so_far_off_and_the_picture_stays(chip):
    for level, pixels in enumerate((4, 8, 16)):
        moved = worse(chip, "misaligned crop", level)
        step = moved.box - chip.box
        assert np.hypot(*step[:2]) == pytest.approx(pixels, rel=1e-5)
        np.testing.assert_allclose(step[:2], step[2:], atol=1e-4)
        np.testing.assert_allclose(
            moved.landmarks - chip.landmarks, np.tile(step[:2], (5, 1)), atol=1e-4
        )
        assert moved.image is chip.image


def test_non_faces(chip):
    for seed in range(8):
        pieces = worse(chip, "non-face", 1, seed).image[MIDDLE, MIDDLE]
        assert sorted(pieces.ravel()) == sorted(chip.image[MIDDLE, MIDDLE].ravel())
        x0, y0, x1, y1 = worse(chip, "non-face", 2, seed).box
        outside = x1 <= 64.5 or x0 >= 127.5 or y1 <= 64.5 or y0 >= 127.5
        assert outside  # it shares no pixel with the face's box
        assert min(x0, y0) >= -0.5
        assert max(x1, y1) <= CHIP_PX + 0.5


def test_occlusion_covers_its_share(chip):
    for level, share in enumerate(BY_NAME["occlusion"].levels):
        for seed in range(6):
            covered = worse(chip, "occlusion", level, seed).image[MIDDLE, MIDDLE]
            changed = (covered != chip.image[MIDDLE, MIDDLE]).any(axis=-1).mean()
            assert changed == pytest.approx(share, abs=0.03)


def test_severities_in_words():
    assert BY_NAME["darkness"].severities() == "0.6, 0.4, 0.2 gain"
    assert BY_NAME["non-face"].severities() == "half a face, pieces, beside it"


def test_lids_close_the_eyes_and_change_nothing_else(portrait_view):
    """The dark pupil goes under skin; brow, nose and all that is farther away stay."""
    (face,) = open_detector("mtcnn").detect(portrait_view.image())
    chip = make_chip(replace(portrait_view, face=face))
    apart = float(np.hypot(*(chip.landmarks[1] - chip.landmarks[0])))
    rows, columns = np.mgrid[:CHIP_PX, :CHIP_PX]
    reach = np.min([np.hypot(columns - x, rows - y) for x, y in chip.landmarks[:2]], axis=0)
    for seed in range(4):
        shut = worse(chip, "closed eyes", 2, seed)
        assert reach[(shut.image != chip.image).any(axis=-1)].max() < 0.45 * apart
        for x, y in chip.landmarks[:2].round().astype(int):
            eye = np.s_[y - 2 : y + 2, x - 4 : x + 5]
            assert shut.image[eye].min() > chip.image[eye].min() + 20
            assert shut.image[eye].std() < chip.image[eye].std()
        np.testing.assert_array_equal(shut.landmarks, chip.landmarks)
