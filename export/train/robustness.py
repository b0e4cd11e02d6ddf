"""What the detector makes of a face, and how surely it still sees it when the view is disturbed.

The last network of the detector looks at views of the face that are shifted, turned and too tight.
A clear, frontal, whole face survives that; a turned, hidden or blurred one does not. It is a
teacher for the quality score that needs no label, no identity and no recogniser. (To judge quality
by robustness is the idea of SER-FIQ, Terhörst et al. 2020, which disturbs a recogniser instead.)
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from sealshot.runtime.crops import square
from sealshot.runtime.types import Floats, Image
from sealshot.runtime.weights import FOLDER

ONET_PX = 48
SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, what float32 can tell apart from 1."""

_AROUND = [(x, y) for x, y in itertools.product((-1, 0, 1), repeat=2) if (x, y) != (0, 0)]
# group -> views: shift right and down as shares of the side, turn in degrees, size
GROUPS: dict[str, list[tuple[float, float, float, float]]] = {
    "shift 0.2": [
        (0.2 * x / math.hypot(x, y), 0.2 * y / math.hypot(x, y), 0, 1) for x, y in _AROUND
    ],
    "turn 30": [(0, 0, -30, 1), (0, 0, 30, 1)],
    "turn 45": [(0, 0, -45, 1), (0, 0, 45, 1)],
    "tight 0.7": [(0, 0, 0, 0.7)],
}


CLOSE_LOOKS = [(0.0, 0.0, 0.0, size) for size in (1.0, 1.2, 0.85)]
"""Views whose features are averaged."""
FEATURES = 1152


@dataclass(frozen=True, eq=False)
class Look:
    """What the detector makes of one face."""

    robustness: Floats
    """``float32 [4]``, mean logit of each group of disturbed views."""
    features: Floats
    """``float32 [1152]``, what the last convolution of O-net gives, mean over the close looks."""


class Looker:
    """Looks at faces with the detector's O-net."""

    def __init__(self) -> None:
        model = onnx.load(FOLDER / "mtcnn_onet.onnx")
        (flat,) = (n.output[0] for n in model.graph.node if n.op_type == "Flatten")
        model.graph.output.append(onnx.helper.make_tensor_value_info(flat, 1, None))
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._onet = ort.InferenceSession(model.SerializeToString(), options)
        self._outputs = ["score", flat]

    def look(self, image: Image, box: Floats) -> Look:
        """Look at one face.

        Args:
            image: ``uint8 [h, w, 3]`` BGR.
            box: ``float32 [4]``, the face.
        """
        disturbed = [v for group in GROUPS.values() for v in group]
        views = np.stack([_view(image, box, *v) for v in (*CLOSE_LOOKS, *disturbed)])
        scores, features = self._onet.run(self._outputs, {"image": views.astype(np.float32)})
        n = len(CLOSE_LOOKS)
        p = np.clip(scores[n:].astype(np.float64), SMALLEST, 1 - SMALLEST)
        ends = np.cumsum([len(group) for group in GROUPS.values()])
        groups = np.split(np.log(p / (1 - p)), ends[:-1])
        return Look(np.array([g.mean() for g in groups], np.float32), features[:n].mean(axis=0))


def _view(
    image: Image, box: Floats, right: float, down: float, turn_deg: float, size: float
) -> NDArray[np.uint8]:
    x, y, side = square(box)
    centre_x, centre_y = x + side * (0.5 + right), y + side * (0.5 + down)
    twice = 2 * ONET_PX  # sampled finely, then averaged
    a = math.radians(turn_deg)
    cos, sin = math.cos(a) * side * size / twice, math.sin(a) * side * size / twice
    half = twice / 2
    to_image = np.array(
        [[cos, -sin, centre_x - (cos - sin) * half], [sin, cos, centre_y - (sin + cos) * half]]
    )
    fine = cv2.warpAffine(
        image,
        to_image,
        (twice, twice),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(fine, (ONET_PX, ONET_PX), interpolation=cv2.INTER_AREA), np.uint8)
