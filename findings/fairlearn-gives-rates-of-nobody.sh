#!/usr/bin/env bash
# fairlearn gives a group without negatives a false positive rate of 0 and a true negative rate of 0, and compares groups by it.
#
# Expected: a rate of nobody is nan, as with scikit-learn's recall_score(zero_division=nan), and the differences are those of the
# groups that have one; FPR and TNR add up to 1.
# Seen (fairlearn 0.15.0): of a group that has only positives, as people of whom there are genuine pairs alone, FPR and TNR are both 0;
# of one without positives TPR and FNR. So the group counts as the best: equalized_odds_difference is .67, the other group's
# FPR, where the only rate that both have differs by .17, and equalized_odds_ratio is 0. A bootstrap (n_boot) does it to small
# groups in each draw that misses their few positives: of a group of 60 with one, who is found in each draw that has her,
# the TPR's interval is 0 to 1. Nothing is said. Count positives and negatives by group first, and leave out what has none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q fairlearn==0.15.0 scikit-learn==1.9.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from fairlearn import metrics

RATES = {
    "FPR": metrics.false_positive_rate,
    "TNR": metrics.true_negative_rate,
    "TPR": metrics.true_positive_rate,
    "FNR": metrics.false_negative_rate,
}
print("fairlearn", version("fairlearn"), "scikit-learn", version("scikit-learn"))
group = np.array(["a"] * 6 + ["b"] * 6 + ["c"] * 6)
true = np.array([1, 1, 1, 0, 0, 0] + [1] * 6 + [0] * 6)
given = np.array([1, 1, 0, 0, 1, 1] + [1, 1, 1, 0, 1, 1] + [1, 0, 0, 0, 0, 0])
rates = metrics.MetricFrame(metrics=RATES, y_true=true, y_pred=given, sensitive_features=group).by_group
print(rates.round(3), "\nb has no negatives, c no positives")
two = group != "c"
between = {"sensitive_features": group[two]}
difference = metrics.equalized_odds_difference(true[two], given[two], **between)
ratio = metrics.equalized_odds_ratio(true[two], given[two], **between)
known = metrics.equal_opportunity_difference(true[two], given[two], **between)
print(f"a and b: difference of equalized odds {difference:.2f} (of the TPR {known:.2f}), ratio {ratio:.2f}")

few_true = np.array([1] + [0] * 59 + [1, 0] * 30)
drawn = metrics.MetricFrame(
    metrics={"TPR": metrics.true_positive_rate},
    y_true=few_true,
    y_pred=few_true,  # nobody is mistaken
    sensitive_features=np.array(["few"] * 60 + ["many"] * 60),
    n_boot=200,
    ci_quantiles=[0.025, 0.975],
    random_state=0,
)
low, high = (float(by_group["TPR"]["few"]) for by_group in drawn.by_group_ci)
print(f"one positive in 60, found: the TPR is between {low:.2f} and {high:.2f}")
of_nobody = [float(rates[name][of]) for name, of in (("FPR", "b"), ("TNR", "b"), ("TPR", "c"), ("FNR", "c"))]
found = of_nobody == [0] * 4 and round(difference, 2) == 0.67 and round(known, 2) == 0.17 and ratio == 0
sys.exit(not (found and (low, high) == (0, 1)))
PYTHON
echo "as found"
