#!/usr/bin/env bash
# Five of the six trackers of roboflow's `trackers` give detections back in another order than they got them.
#
# Expected: update() gives the detections that it got, in their order, with tracker_id beside them: so SORTTracker does,
# and who keeps landmarks, crops or scores of the same faces in a list of their own goes by the index.
# Seen (trackers 2.6.1, supervision 0.31.2): the others, ByteTrackTracker among them, give the surer detections first and
# the less sure ones behind, so that the order changes from frame to frame with the detector's confidence: in a frame in
# which the middle one of three people who stand still turns away, the one on the right comes second. What lies beside
# the boxes by index, landmarks or a crop, is then another person's. What is put into Detections.data moves along.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q trackers==2.6.1 supervision==0.31.2 numpy==2.2.6 opencv-python-headless==4.14.0.94
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import supervision
import trackers

KEEP = {"SORTTracker"}
CHANGE = {"BoTSORTTracker", "ByteTrackTracker", "CBIoUTracker", "McByteTracker", "OCSORTTracker"}
print("trackers", version("trackers"), "supervision", version("supervision"))
if {name for name in dir(trackers) if name.endswith("Tracker")} != KEEP | CHANGE:
    sys.exit("it has other trackers now")

people = np.array([[100, 100, 200, 200], [400, 100, 500, 200], [700, 100, 800, 200]], float)
for name in sorted(KEEP | CHANGE):
    tracker = getattr(trackers, name)()
    for frame in range(6):
        given = supervision.Detections(
            xyxy=people,
            confidence=np.array([0.9, 0.4 if frame % 2 else 0.92, 0.95]),
            class_id=np.zeros(3, int),
            data={"person": np.array(["left", "middle", "right"])},
        )
        back = tracker.update(given)
    kept = np.array_equal(back.xyxy, given.xyxy)
    print(f"{name}: {', '.join(back.data['person'])}")
    if kept != (name in KEEP):
        sys.exit("it was otherwise")
    if not np.array_equal(back.xyxy[:, 0], 100 + 300 * np.array(
        [["left", "middle", "right"].index(person) for person in back.data["person"]]
    )):
        sys.exit("data no longer moves along")
PYTHON
