#!/usr/bin/env bash
# PyTorch's ONNX exporter leaves out divisor_override and label_smoothing, and makes shifted bytes signed: exit code 0, other numbers.
#
# Expected: torch.onnx.export gives a graph of the same numbers, or refuses, as the old exporter (dynamo=False) refuses label_smoothing.
# Seen (torch 2.13.0, onnxscript 0.7.2, run by onnxruntime 1.32.0): avg_pool2d with divisor_override=1, which is how a sum over
# windows is written, comes out as the mean: a ninth of it at 3x3. cross_entropy's label_smoothing is 0 in the graph. uint8 << 1 is
# computed right and then cast to int8, so that 100 becomes -56 in place of 200, and 200 >> 0 is -56 as well; bytes from 128 on
# are negative in what follows. Nothing is said, and onnx.checker takes all of it; verify=True logs a warning. The sum is right
# as avg_pool2d(x, 3) * 9, the byte as a product or after .int().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 onnxscript==0.7.2 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/export.py" <<'PYTHON'
import io
import sys
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
import torch
from torch.nn import functional

torch.manual_seed(0)
torch.set_num_threads(1)


class Net(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *given):
        return self.function(*given)


def both(function, *given: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return what PyTorch gives and what the exported graph gives."""
    net, file = Net(function), io.BytesIO()
    torch.onnx.export(net, given, dynamo=True, verbose=False).save(file)
    onnx.checker.check_model(onnx.load_from_string(file.getvalue()), full_check=True)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    named = {to.name: value.numpy() for to, value in zip(session.get_inputs(), given)}
    return net(*given).numpy(), session.run(None, named)[0]


picture, scores = torch.rand(1, 1, 6, 6), torch.randn(4, 7)
labels, bytes_ = torch.tensor([0, 3, 6, 2]), torch.tensor([1, 100, 200], dtype=torch.uint8)
PLAIN = {
    "sum of windows": (lambda x: functional.avg_pool2d(x, 3) * 9, picture),
    "cross entropy": (lambda x, y: functional.cross_entropy(x, y), scores, labels),
    "bytes * 2": (lambda x: x * 2, bytes_),
}
CHANGED = {
    "sum of windows by divisor_override": (lambda x: functional.avg_pool2d(x, 3, divisor_override=1), picture),
    "cross entropy, smoothed": (lambda x, y: functional.cross_entropy(x, y, label_smoothing=0.3), scores, labels),
    "bytes << 1": (lambda x: x << 1, bytes_),
    "bytes >> 0, as float": (lambda x: (x >> 0).float(), bytes_),
}
found = {}
for name, (function, *given) in (PLAIN | CHANGED).items():
    torch_gives, onnx_gives = both(function, *given)
    print(f"{name}: {torch_gives.ravel()} ({torch_gives.dtype}), exported {onnx_gives.ravel()} ({onnx_gives.dtype})", flush=True)
    found[name] = torch_gives, onnx_gives
print(*(f"{name} {version(name)}" for name in ("torch", "onnxscript", "onnx", "onnxruntime")))
same = [bool(np.allclose(*found[name])) for name in found]
ninth = np.allclose(found["sum of windows by divisor_override"][0], found["sum of windows by divisor_override"][1] * 9)
unsmoothed = np.allclose(found["cross entropy, smoothed"][1], found["cross entropy"][0])
signed = found["bytes << 1"][1].tolist() == [2, -56, -112]
sys.exit(not (same == [True] * 3 + [False] * 4 and ninth and unsmoothed and signed))
PYTHON
"$folder/venv/bin/python" "$folder/export.py" 2> "$folder/log" || { cat "$folder/log"; echo changed; exit 1; }
echo "as found"
