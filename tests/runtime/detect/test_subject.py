"""Which face a picture is of."""

import numpy as np
import pytest

from sealshot.runtime.detect.subject import main_face
from sealshot.runtime.types import Face


@pytest.mark.parametrize(
    ("boxes", "chosen"),
    [
        ([[40, 40, 60, 60]], 0),
        ([[0, 0, 30, 30], [35, 35, 65, 65]], 1),  # as large, but in the middle
        ([[0, 0, 60, 60], [45, 45, 55, 55]], 0),  # far larger, and not far off
        ([[70, 70, 100, 100], [40, 40, 60, 60]], 1),
    ],
)
def test_main_face_is_large_and_central(boxes, chosen):
    marks = np.zeros((5, 2), np.float32)
    found = [Face(np.array(box, np.float32), 0.9, marks) for box in boxes]
    assert main_face(found, 100, 100) is found[chosen]
    assert main_face([], 100, 100) is None
