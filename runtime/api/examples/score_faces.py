"""Score the faces of pictures, best first: python score_faces.py PICTURE..."""

import sys

import cv2
import numpy as np

import sealshot


def main() -> None:
    """Find the faces, crop them, score them."""
    detector = sealshot.open_detector("mtcnn")
    scorer = sealshot.open_scorer("quality")
    found = []
    for path in sys.argv[1:]:
        image = np.asarray(cv2.imread(path), np.uint8)  # [h, w, 3], BGR
        faces = detector.detect(image)
        crops = sealshot.crop_resize_grey(image, [face.box for face in faces])
        found += [(score, path) for score in scorer.score(crops).tolist()]
    for score, path in sorted(found, reverse=True):
        print(f"{score:.2f} {path}")


if __name__ == "__main__":
    main()
