"""Making a good picture of a face worse, in one known way at a time.

Each degradation takes a chip: a colour picture of 192x192 px with the face's box in its middle
third, 64x64 px, which is the resolution of the score graph. So severities are in pixels of the
crop, whatever the size at which the face was seen, and the surroundings of the face are there to be
moved into the crop. The clean crop is the middle of the chip as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.data.faces import View, view_of
from sealshot.benchmarks.data.lids import close_eyes
from sealshot.runtime.crops import CROP_PX, cut, square
from sealshot.runtime.types import Face, Floats, Image

CHIP_PX = 3 * CROP_PX
MIDDLE = slice(CROP_PX, 2 * CROP_PX)


@dataclass(frozen=True, eq=False)
class Chip:
    """A face in the middle of a picture."""

    image: Image
    """``uint8 [192, 192, 3]`` BGR."""
    box: Floats
    """``[4]``: the middle third."""
    landmarks: Floats
    """``[5, 2]``."""

    def view(self, confidence: float) -> View:
        """Return the chip as measures take it."""
        return view_of(self.image, Face(self.box, confidence, self.landmarks))


NON_FACE, MISALIGNED = "non-face", "misaligned crop"
CLOSED_EYES, INFRARED = "closed eyes", "infrared at night"
PUPIL = 0.05
"""Radius of a pupil that throws the light back, in units of the distance between the eyes."""
GLINT, NIGHT_NOISE = 230.0, 15.0
"""Grey levels: of such a pupil, and the noise of a sensor that sees nearly nothing."""
KINDS = (1, 2, 3)  # levels that are no amounts
Apply = Callable[[Chip, float, np.random.Generator], Chip]


@dataclass(frozen=True)
class Degradation:
    """One way in which pictures get worse, at three severities."""

    name: str
    levels: tuple[float, float, float]
    """Mild, middle, harsh."""
    unit: str
    """What the levels count; for levels that are kinds, their names."""
    apply: Apply
    """(chip, level, random numbers) -> chip; the same random numbers at each level."""

    def severities(self) -> str:
        """Return the three levels in words."""
        numbers = ", ".join(f"{level:g}" for level in self.levels)
        return self.unit if self.levels == KINDS else f"{numbers} {self.unit}"


def make_chip(view: View) -> Chip:
    """Cut the chip of a face out of its picture: area-resampled, edges repeated."""
    x, y, side = square(view.face.box)
    image = cut(view.image(), x - side, y - side, 3 * side)
    shrink = cv2.INTER_AREA if side > CROP_PX else cv2.INTER_LINEAR
    chip = np.asarray(cv2.resize(image, (CHIP_PX, CHIP_PX), interpolation=shrink), np.uint8)
    origin = np.array([x - side, y - side], np.float32)
    return Chip(
        image=chip,
        box=np.array([CROP_PX, CROP_PX, 2 * CROP_PX, 2 * CROP_PX], np.float32),
        landmarks=np.asarray((view.face.landmarks - origin) * (CROP_PX / side), np.float32),
    )


def gaussian_blur(chip: Chip, sigma: float, _: np.random.Generator) -> Chip:
    """Out of focus."""
    return replace(chip, image=_uint8(cv2.GaussianBlur(chip.image, (0, 0), sigma)))


def motion_blur(chip: Chip, length: float, rng: np.random.Generator) -> Chip:
    """Moved while the shutter was open, in any direction."""
    size = 2 * math.ceil(length / 2) + 1
    angle = rng.uniform(0, math.pi)
    reach = np.linspace(-(length - 1) / 2, (length - 1) / 2, 8 * size)
    kernel = np.zeros((size, size))
    rows = np.round(size // 2 + reach * math.sin(angle)).astype(int)
    columns = np.round(size // 2 + reach * math.cos(angle)).astype(int)
    np.add.at(kernel, (rows, columns), 1 / len(reach))
    return replace(chip, image=_uint8(cv2.filter2D(chip.image, -1, kernel)))


def far_away(chip: Chip, factor: float, _: np.random.Generator) -> Chip:
    """Seen with fewer pixels, and grown again."""
    small = round(CHIP_PX / factor)
    image = cv2.resize(chip.image, (small, small), interpolation=cv2.INTER_AREA)
    grown = cv2.resize(image, (CHIP_PX, CHIP_PX), interpolation=cv2.INTER_LINEAR)
    return replace(chip, image=_uint8(grown))


def noise(chip: Chip, sigma: float, rng: np.random.Generator) -> Chip:
    """Noise of the sensor: one value a pixel, the same in each colour."""
    values = rng.standard_normal((CHIP_PX, CHIP_PX, 1)) * sigma
    return replace(chip, image=_uint8(chip.image + values))


def jpeg(chip: Chip, quality: float, _: np.random.Generator) -> Chip:
    """Compressed hard."""
    coded = cv2.imencode(".jpg", chip.image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return replace(chip, image=np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))


def darkness(chip: Chip, gain: float, _: np.random.Generator) -> Chip:
    """Too little light."""
    return replace(chip, image=_uint8(chip.image * gain))


def overexposure(chip: Chip, gain: float, _: np.random.Generator) -> Chip:
    """Too much light."""
    return replace(chip, image=_uint8(chip.image * gain))


def glare(chip: Chip, strength: float, rng: np.random.Generator) -> Chip:
    """A light shines on a part of the face: a bright, soft spot."""
    centre = CHIP_PX / 2 + rng.uniform(-CROP_PX / 4, CROP_PX / 4, 2)
    y, x = np.mgrid[:CHIP_PX, :CHIP_PX]
    spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * (CROP_PX / 4) ** 2))
    return replace(chip, image=_uint8(chip.image + 255 * strength * spot[..., None]))


def occlusion(chip: Chip, share: float, rng: np.random.Generator) -> Chip:
    """Something of one colour before a part of the face, from the left, the right or below."""
    image = chip.image.copy()
    depth = round(share * CROP_PX)
    side = rng.integers(3)
    colour = rng.integers(20, 220, 3)
    if side == 0:
        image[:, : MIDDLE.start + depth] = colour
    elif side == 1:
        image[:, MIDDLE.stop - depth :] = colour
    else:
        image[MIDDLE.stop - depth :] = colour
    return replace(chip, image=image)


def rotation(chip: Chip, degrees: float, _: np.random.Generator) -> Chip:
    """The head is tilted, to the side to which it is already: the other turn may set it upright."""
    left, right = chip.landmarks[:2]
    turn = -degrees if right[1] > left[1] else degrees  # counter-clockwise
    matrix = cv2.getRotationMatrix2D((CHIP_PX / 2, CHIP_PX / 2), turn, 1.0)
    image = cv2.warpAffine(chip.image, matrix, (CHIP_PX, CHIP_PX), borderMode=cv2.BORDER_REPLICATE)
    turned = chip.landmarks @ matrix[:, :2].T + matrix[:, 2]
    return replace(chip, image=_uint8(image), landmarks=np.asarray(turned, np.float32))


def closed_eyes(chip: Chip, shut: float, rng: np.random.Generator) -> Chip:
    """A blink: lids are drawn over both eyes."""
    return replace(chip, image=close_eyes(chip.image, chip.landmarks, shut, rng))


def infrared(chip: Chip, lost: float, rng: np.random.Generator) -> Chip:
    """Seen by a camera with lamps of its own at night: grey, flat and noisy, the pupils bright."""
    grey = cv2.cvtColor(chip.image, cv2.COLOR_BGR2GRAY).astype(float)
    flat = grey.mean() + (1 - lost) * (grey - grey.mean())
    left, right = chip.landmarks[:2].astype(float)
    radius = PUPIL * float(np.hypot(*(right - left)))
    y, x = np.mgrid[:CHIP_PX, :CHIP_PX]
    for eye in (left, right):
        far = np.hypot(x - eye[0], y - eye[1]) / max(radius, 1.0)
        flat += np.exp(-(far**2)) * (GLINT - flat)
    noisy = flat + rng.standard_normal(flat.shape) * NIGHT_NOISE * lost
    return replace(chip, image=_uint8(np.repeat(noisy[..., None], 3, axis=2)))


def misaligned(chip: Chip, shift: float, rng: np.random.Generator) -> Chip:
    """The detector's box, and its landmarks, are beside the face."""
    return _moved(chip, shift, rng.uniform(0, 2 * math.pi))


def non_face(chip: Chip, kind: float, rng: np.random.Generator) -> Chip:
    """Something that is not a face: half of one, its pieces in disorder, what is beside it."""
    if kind == 1:
        return _moved(chip, CROP_PX / 2, rng.uniform(0, 2 * math.pi))
    if kind == 3:  # a corner of the chip: the box of the face is not in it
        corner = math.pi * (0.25 + rng.integers(4) / 2)
        return _moved(chip, CROP_PX * math.sqrt(2), corner)
    image = chip.image.copy()
    face = image[MIDDLE, MIDDLE]
    tiles = face.reshape(4, 16, 4, 16, 3).swapaxes(1, 2).reshape(16, 16, 16, 3)
    mixed = tiles[rng.permutation(16)].reshape(4, 4, 16, 16, 3).swapaxes(1, 2)
    image[MIDDLE, MIDDLE] = mixed.reshape(CROP_PX, CROP_PX, 3)
    return replace(chip, image=image)


DEGRADATIONS = (
    Degradation("Gaussian blur", (1, 2, 4), "px sigma", gaussian_blur),
    Degradation("motion blur", (5, 9, 15), "px", motion_blur),
    Degradation("shrunk and grown", (2, 3, 5), "times", far_away),
    Degradation("noise", (5, 10, 20), "grey levels sigma", noise),
    Degradation("JPEG", (30, 15, 7), "quality", jpeg),
    Degradation("darkness", (0.6, 0.4, 0.2), "gain", darkness),
    Degradation("overexposure", (1.4, 1.8, 2.4), "gain", overexposure),
    Degradation("glare", (0.5, 0.8, 1.2), "strength", glare),
    Degradation("occlusion", (0.2, 0.35, 0.5), "of the face", occlusion),
    Degradation("rotation", (10, 20, 40), "degrees", rotation),
    Degradation(MISALIGNED, (4, 8, 16), "px", misaligned),
    Degradation(NON_FACE, KINDS, "half a face, pieces, beside it", non_face),
    Degradation(CLOSED_EYES, (0.5, 0.8, 1), "shut", closed_eyes),
    Degradation(INFRARED, (0.3, 0.5, 0.7), "of the contrast lost", infrared),
)


def _moved(chip: Chip, shift: float, direction: float) -> Chip:
    step = shift * np.array([math.cos(direction), math.sin(direction)], np.float32)
    return replace(chip, box=chip.box + np.tile(step, 2), landmarks=chip.landmarks + step)


def _uint8(image: NDArray[np.generic]) -> Image:
    return np.clip(np.round(image.astype(np.float64)), 0, 255).astype(np.uint8)
