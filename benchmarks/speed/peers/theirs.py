"""A pipeline of others on a clip: frame by frame a detector, ByteTrack, and two best-shot rules.

    python theirs.py facenet|yunet CLIP [--model YUNET.onnx] [--width PX] [--min-face PX]

The detector is facenet-pytorch's MTCNN or OpenCV's FaceDetectorYN, the tracker ByteTrack of
roboflow's trackers, both with their own defaults but for what is given. Of each track the frame
with the largest face is kept, and the sharpest one (variance of the Laplacian of the face in
grey). It prints JSON: frames, seconds from the first frame on, when the first one was done by the
monotonic clock, times of the frames, of each track its boxes, and of each rule its shots.

It runs by itself, without sealshot. The wheel of torchvision on PyPI needs CUDA's libraries, and
of it the detector takes only the suppression of boxes: OpenCV's, in C++ as well, stands in.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from types import ModuleType
from typing import Any

import cv2
import numpy as np

Detect = Callable[[Any], tuple[Any, Any]]
"""A BGR picture to boxes ``[n, 4]`` and scores ``[n]``."""
MIN_SCORE = 0.6
"""Of FaceDetectorYN. Its 0.9 would leave nothing to ByteTrack's second stage."""


def facenet(min_face_px: int) -> Detect:
    """Open facenet-pytorch's MTCNN."""
    import torch

    torchvision = [ModuleType(name) for name in ("torchvision", "torchvision.transforms")]
    torchvision[1].__dict__["functional"] = ModuleType("torchvision.transforms.functional")
    boxes = ModuleType("torchvision.ops.boxes")

    def batched_nms(boxes: Any, scores: Any, image: Any, overlap: float) -> Any:
        corners = boxes.double().numpy()
        sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        groups = image.int()
        kept = cv2.dnn.NMSBoxesBatched(
            sides.tolist(), scores.tolist(), groups.tolist(), 0.0, overlap
        )
        return torch.as_tensor(np.asarray(kept, np.int64))

    boxes.__dict__["batched_nms"] = batched_nms
    stand_ins = [*torchvision, torchvision[1].functional, ModuleType("torchvision.ops"), boxes]
    sys.modules.update({module.__name__: module for module in stand_ins})
    package = ModuleType("facenet_pytorch")  # its other models need more of torchvision
    import importlib.util

    found = importlib.util.find_spec("facenet_pytorch")
    assert found is not None
    package.__path__ = list(found.submodule_search_locations or ())
    sys.modules["facenet_pytorch"] = package
    from facenet_pytorch.models.mtcnn import MTCNN

    net = MTCNN(keep_all=True, min_face_size=min_face_px, device="cpu")

    def detect(image: Any) -> tuple[Any, Any]:
        with torch.inference_mode():
            found, scores = net.detect(np.ascontiguousarray(image[..., ::-1]))
        if found is None:
            return np.empty((0, 4)), np.empty(0)
        return found, scores

    return detect


def yunet(model: str, width: int, min_face_px: int) -> Detect:
    """Open OpenCV's FaceDetectorYN, on pictures shrunk to a width; 0: as they are."""
    net = cv2.FaceDetectorYN.create(model, "", (320, 320), MIN_SCORE)

    def detect(image: Any) -> tuple[Any, Any]:
        scale = width / image.shape[1] if width else 1.0
        if scale != 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        net.setInputSize(image.shape[1::-1])
        _, found = net.detect(image)
        if found is None:
            return np.empty((0, 4)), np.empty(0)
        corners = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1) / scale
        large = corners[:, 2] - corners[:, 0] >= min_face_px
        return corners[large], found[large, 14]

    return detect


def sharpness(image: Any, box: Any) -> float:
    """Return the variance of the Laplacian of a face in grey; 0 outside of the picture."""
    x0, y0, x1, y1 = np.maximum(np.round(box), 0).astype(int)
    face = image[y0:y1, x0:x1]
    grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY) if face.size else None
    return 0.0 if grey is None else float(cv2.Laplacian(grey, cv2.CV_64F).var())


def main() -> None:
    """Run on a clip and print what came of it."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("detector", choices=("facenet", "yunet"))
    arguments.add_argument("clip")
    arguments.add_argument("--model", default="")
    arguments.add_argument("--width", type=int, default=0)
    arguments.add_argument("--min-face", type=int, default=36)
    given = arguments.parse_args()
    import supervision
    from trackers import ByteTrackTracker

    if given.detector == "facenet":
        detect = facenet(given.min_face)
    else:
        detect = yunet(given.model, given.width, given.min_face)
    video = cv2.VideoCapture(given.clip)
    fps = video.get(cv2.CAP_PROP_FPS)
    tracker = ByteTrackTracker(frame_rate=fps)
    tracks: dict[int, list[Any]] = defaultdict(list)
    best: dict[str, dict[int, tuple[float, Any]]] = {"largest": {}, "sharpest": {}}
    start_s, first_s, index = time.monotonic(), 0.0, 0
    while True:
        came, image = video.read()
        if not came:
            break
        boxes, scores = detect(image)
        seen = tracker.update(
            supervision.Detections(
                xyxy=np.asarray(boxes, np.float32).reshape(-1, 4),
                confidence=np.asarray(scores, np.float32),
            )
        )
        for box, track in zip(seen.xyxy, seen.tracker_id, strict=True):
            if track < 0:  # not yet seen in enough frames
                continue
            place = [index, *map(float, box)]
            tracks[int(track)].append(place)
            area = (box[2] - box[0]) * (box[3] - box[1])
            for rule, value in (("largest", float(area)), ("sharpest", sharpness(image, box))):
                if value > best[rule].get(int(track), (-1.0, None))[0]:
                    best[rule][int(track)] = value, place
        first_s = first_s or time.monotonic()
        index += 1
    if not index:
        sys.exit(f"OpenCV reads no frame of {given.clip}")
    said = {
        "frames": index,
        "seconds": time.monotonic() - start_s,
        "first_s": first_s,
        "times": [i / fps for i in range(index)],
        "tracks": tracks,
        "shots": {rule: {t: at for t, (_, at) in of.items()} for rule, of in best.items()},
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
