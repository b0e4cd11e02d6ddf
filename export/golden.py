"""Golden scores: what the scores that ship give for drawn faces, in float64.

    python -m sealshot.export.golden

writes ``runtime/weights/golden.npz``: ``crops`` uint8 [n, 1, 64, 64], and for each score ``NAME``
float64 [n] and ``NAME_sha256`` of the float32 graph that it was computed from. An engine on a
board is held against it. Run it again whenever a model changes.
"""

from __future__ import annotations

import io
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from sealshot.runtime.cli.terminal import say
from sealshot.runtime.engines.manifest import load_manifest
from sealshot.runtime.files import write_atomic
from sealshot.runtime.weights import FOLDER, SCORES, score_graph

FILE = FOLDER / "golden.npz"
FACES = 24


def draw_faces(count: int = FACES, seed: int = 1) -> NDArray[np.uint8]:
    """Draw faces: ovals with eyes, nose and mouth, differently lit, turned, blurred and noisy.

    Returns:
        ``uint8 [count, 1, 64, 64]``; no picture of a person is in them.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    crops = []
    for _ in range(count):
        skin, ground, light = rng.uniform(90, 220), rng.uniform(20, 160), rng.uniform(-40, 40)
        turn, side, up = rng.uniform(-0.25, 0.25), *rng.uniform(-0.12, 0.12, 2)
        u = (x - side) * np.cos(turn) + (y - up) * np.sin(turn)
        v = (y - up) * np.cos(turn) - (x - side) * np.sin(turn)

        def oval(at_u: float, at_v: float, wide: float, high: float, u=u, v=v):  # type: ignore[no-untyped-def]
            return 1 / (1 + np.exp(12 * (np.hypot((u - at_u) / wide, (v - at_v) / high) - 1)))

        picture = ground + (skin - ground + light * u) * oval(0, 0, 0.72, 0.95)
        for eye in (-0.3, 0.3):
            picture -= 0.25 * skin * oval(eye, -0.42, 0.24, 0.05)
            picture -= 0.55 * skin * oval(eye, -0.24, 0.15, 0.08)
        picture -= 0.2 * skin * oval(0.04, 0.12, 0.1, 0.16)
        picture -= rng.uniform(0.2, 0.5) * skin * oval(0, 0.48, 0.26, 0.07)
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 2.5)))
        picture += rng.normal(0, rng.uniform(0, 6), picture.shape)
        crops.append(np.clip(np.round(picture), 0, 255).astype(np.uint8)[None])
    return np.stack(crops)


def golden_crops() -> NDArray[np.uint8]:
    """Return the crops of the golden scores, ``uint8 [n, 1, 64, 64]``."""
    with np.load(FILE, allow_pickle=False) as kept:
        crops: NDArray[np.uint8] = kept["crops"]
    return crops


def main() -> int:
    """Compute the golden scores again."""
    from sealshot.export.quantise.precisions import reference_scores
    from sealshot.export.rebuild import load_graph

    crops = draw_faces()
    arrays: dict[str, NDArray[np.generic]] = {"crops": crops}
    for name in SCORES:
        path = score_graph(name)
        manifest = load_manifest(path)
        arrays[name] = reference_scores(load_graph(path, manifest), crops)
        arrays[f"{name}_sha256"] = np.array(manifest.sha256)
        say(f"{name}: {arrays[name].min():.4g} to {arrays[name].max():.4g}")
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    write_atomic(FILE, out.getvalue())
    say(f"written: {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
