#!/usr/bin/env bash
# Ray prints that a worker died on the standard output of the program that uses it, whatever it was told to log.
#
# Expected: with log_to_driver=False and logging_level="error" a program's standard output is its own, as one that
# prints JSON needs; that a worker died is logged, or printed on standard error.
# Seen (ray 2.60.0): a task whose worker ends is tried again and gives its result, and two coloured lines "(raylet) A
# worker died or was killed ..." and "(raylet) Task ... failed" stand on standard output before it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ray==2.60.0
cat > "$folder/program.py" <<'PYTHON'
import json
import os
import sys
import time
from pathlib import Path

import ray

ray.init(address="local", num_cpus=1, log_to_driver=False, logging_level="error")


@ray.remote(max_retries=1)
def task(mark: str) -> int:
    if not Path(mark).exists():
        Path(mark).touch()
        os._exit(1)
    return 42


result = ray.get(task.remote(sys.argv[1]))
time.sleep(3)
print(json.dumps({"ray": ray.__version__, "result": result}))
PYTHON
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" "$folder/program.py" "$folder/mark" > "$folder/out" 2> /dev/null
cut -c1-100 "$folder/out"
grep -q '(raylet)' "$folder/out" && tail -1 "$folder/out" | grep -q '"result": 42'
