"""How much a photograph is like a passport portrait: the rule that picks a person's reference.

ISO/IEC 19794-5 says what such a portrait is, and ISO/IEC 29794-5 how to measure it with networks
for each part of the face. Here stand proxies that need no more than five landmarks and the pixels.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.benchmarks.accuracy.measures.simple import sharpness
from sealshot.benchmarks.data.faces import View
from sealshot.runtime.alignment import similarity
from sealshot.runtime.types import Floats, Image

EYES_PX = 32.0  # between the eyes of a face of 64 px
HALF_WAY = 0.54  # down from the eyes to the mouth lies the nose of a face that looks straight ahead
NODDING = 0.2  # of that line, up or down, is as far as it goes
FOCUS = 50.0  # variance of the Laplacian of a face half in focus

FRAME_PX = 96
IN_FRAME = np.array([[33.0, 38.0], [63.0, 38.0], [48.0, 55.0], [36.0, 71.0], [60.0, 71.0]])
"""Eyes, nose and corners of the mouth of an upright face, 30 px between the eyes."""
# parts of the frame: rows, columns
FOREHEAD = np.s_[14:26, 38:58]
EYES = (np.s_[33:43, 26:40], np.s_[33:43, 56:70])
CHEEKS = (np.s_[48:60, 27:37], np.s_[48:60, 59:69])
# differences in CIELAB that divide a proxy by e
OTHER_COLOUR = 15.0
DARKER = 160.0


def icao(view: View) -> float:
    """Return how much a face is like a passport portrait, 0 to 1.

    The product of proxies, each from 0 to 1, of what ISO/IEC 19794-5 asks for:

    - not turned (squared): the nose on the line from between the eyes to the mouth, that line
      square to the eyes; not nodding: the nose about half-way down that line;
    - large: 32 px between the eyes, a face of 64 px; in focus: variance of the Laplacian, half
      at 50; evenly lit (squared): left and right halves equally bright;
    - no head covering: the forehead has the colour of the cheeks; no dark glasses: the eyes are
      not much darker than the cheeks.

    The last two were set by how near the references then are to the other photographs of their
    people (lfw-dev and celeba-dev, 873 and 29 people). A proxy for the closed mouth did not bring
    them nearer and was left out.
    """
    return (
        _straight(view.face.landmarks.astype(float))
        * _well_taken(view)
        * _uncovered(view.image(), view.face.landmarks)
    )


def _straight(landmarks: NDArray[np.float64]) -> float:
    left, right, nose, mouth_left, mouth_right = landmarks
    across = right - left
    eyes = max(float(np.hypot(*across)), 1e-6)
    down = (mouth_left + mouth_right - left - right) / 2
    length = max(float(np.hypot(*down)), 1e-6)
    to_nose = nose - (left + right) / 2
    aside = abs(down[0] * to_nose[1] - down[1] * to_nose[0]) / length  # px off the middle line
    skew = abs(across @ down) / (eyes * length)
    frontal = max(0.0, 1 - 2 * aside / eyes) * max(0.0, 1 - skew)
    level = max(0.0, 1 - abs(to_nose @ down / length**2 - HALF_WAY) / NODDING)
    return float(frontal**2 * level * min(1.0, eyes / EYES_PX))


def _well_taken(view: View) -> float:
    focus = sharpness(view)
    halves = view.crop.reshape(64, 2, 32).mean(axis=(0, 2))
    even = 1 - abs(halves[0] - halves[1]) / max(float(halves.sum()), 1e-6)
    return float(focus / (focus + FOCUS) * even**2)


def _uncovered(image: Image, landmarks: Floats) -> float:
    upright = cv2.warpAffine(
        image,
        similarity(landmarks, IN_FRAME),
        (FRAME_PX, FRAME_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # lightness 0 to 100, and two axes of colour
    lab = cv2.cvtColor(upright.astype(np.float32) / 255, cv2.COLOR_BGR2Lab)
    skin = np.median(np.concatenate([lab[part].reshape(-1, 3) for part in CHEEKS]), axis=0)
    forehead = np.median(np.linalg.norm(lab[FOREHEAD] - skin, axis=2))
    eyes = np.median(np.stack([lab[part][..., 0] for part in EYES]))
    return math.exp(-forehead / OTHER_COLOUR - max(0.0, skin[0] - eyes) / DARKER)
