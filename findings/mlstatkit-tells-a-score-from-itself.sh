#!/usr/bin/env bash
# MLstatkit's DeLong test gives p = 0 for a score against itself: what ranks alike is found different for certain.
#
# Expected: two scores of one AUC, with nothing between them, have p = 1: as R's pROC, or as SciPy's tests have it for no difference.
# Seen (MLstatkit 0.1.91): where the variance of the difference is 0, as of a score and its percentile, of float64 and float32, or
# of an int8 net that keeps fp32's order, it turns to a bootstrap, whose differences are all 0, and takes for p twice the smaller of
# the shares "at most 0", which is 1, and "above 0", which is 0. z is 0, both AUCs are .757 and both intervals the same; two scores
# that both part all pairs (AUC 1) are told apart too. One pair in another order, and p is .48. Nothing is said unless verbose
# is set. So a gate "p < .05: the quantised net differs" fails for the nets that are best.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q MLstatkit==0.1.91 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from MLstatkit import Delong_test

random = np.random.default_rng(0)
same = random.integers(0, 2, 200)  # whether a pair is genuine
score = same + random.normal(size=200)
order = score.argsort()
one_moved = score.copy()
for place in range(199):
    lower, higher = order[place : place + 2]
    if same[lower] != same[higher]:
        one_moved[[lower, higher]] = score[[higher, lower]]
        break
ALIKE = {
    "itself": score,
    "its percentile": score.argsort().argsort() / 200,
    "itself in float32": score.astype(np.float32),
}
print("MLstatkit", version("MLstatkit"))
wrong = False
for name, other in ALIKE.items():
    z, p, *_, auc, its_auc = Delong_test(same, score, other, n_boot=500, random_state=0)[:6]
    print(f"a score and {name}: z {z}, p {p}, AUC {auc:.6f} and {its_auc:.6f}")
    wrong |= (z, p) != (0, 0) or auc != its_auc
z, p = Delong_test(same, same * 1.0, same * 2 + random.random(200) / 10, n_boot=500, random_state=0)[:2]
print(f"two that part all pairs: z {z}, p {p}")
wrong |= (z, p) != (0, 0)
z, p, *_, auc, its_auc = Delong_test(same, score, one_moved)[:6]
print(f"a score and it with one pair moved: z {z:.3f}, p {p:.3f}, AUC {auc:.6f} and {its_auc:.6f}")
wrong |= not 0.2 < p < 1 or auc == its_auc
sys.exit(wrong)
PYTHON
echo "as found"
