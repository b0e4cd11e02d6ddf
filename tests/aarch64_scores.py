"""Every form that ships against the golden scores, for `aarch64.sh`: a processor without pytest."""

import platform

import numpy as np
import onnxruntime

from sealshot.export.golden import FILE
from sealshot.runtime.engines import engine_forms, open_engine
from sealshot.runtime.weights import SCORES, score_graph

LEAST_RANK = {"fp32": 0.9999, "fp16": 0.9999, "int8": 0.99}
MOST_OFF = {"fp32": 1e-4, "fp16": 0.05, "int8": None}
"""Share of the spread of scores."""


def rank(scores):
    """Return the rank of each score."""
    return np.argsort(np.argsort(scores))


def main():
    """Compare, and end with 1 at the first that is wrong."""
    print(f"{platform.machine()}, ONNX Runtime {onnxruntime.__version__}")
    golden = np.load(FILE)
    for score in SCORES:
        files = engine_forms(score_graph(score), "onnxruntime")
        assert "int8" in files or score != "rp", "rp has no int8 for this processor"
        for precision in files:
            engine = open_engine(score_graph(score), "onnxruntime", precision)
            scores = engine.score(golden["crops"])
            off = np.abs(scores - golden[score]).max() / golden[score].std()
            agree = float(np.corrcoef(rank(scores), rank(golden[score]))[0, 1])
            print(f"{score} {precision}: Spearman {agree:.5f}, off by {off:.2g} of the spread")
            most = MOST_OFF[precision]
            assert agree >= LEAST_RANK[precision], "another order"
            assert most is None or off <= most, "other scores"


main()
