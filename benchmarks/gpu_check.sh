#!/usr/bin/env bash
# Everything about the kernels that needs a GPU, in under nine minutes: their tests, compute-sanitizer
# where it is, the measurements. Needs a driver, nvcc, and a python3 with numpy, scipy, OpenCV, rich,
# pytest and hypothesis; with PyTorch and Triton they are raced too. Needs no network, no pycuda, no
# installation: the package of the checkout is taken as it is.
#
#     benchmarks/gpu_check.sh [FOLDER]      (default: $OUT, or benchmarks/results/gpu)
#
# Leaves gpu-check.json (each step: exit code, seconds), kernels.json, kernel-resources.json and a log
# a step. Exit code 1 if a step failed. A step that cannot run here is `null`, with the reason.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD
out=${1:-${OUT:-benchmarks/results/gpu}}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONUNBUFFERED=1 XDG_CACHE_HOME=${XDG_CACHE_HOME:-$work/cache} PYTHONDONTWRITEBYTECODE=1

if ! python3 -c 'import sealshot.kernels' 2>/dev/null; then
    export PYTHONPATH=$root/.package${PYTHONPATH:+:$PYTHONPATH}
fi

failed=0
steps=$work/steps
: >"$steps"

budget=520 # seconds; a step gets no more than what is left of them

# step NAME SECONDS COMMAND...: run it with a limit, keep its output, note how it ended
step() {
    local name=$1 limit=$2 begin=$SECONDS code=0
    shift 2
    ((limit <= budget - begin)) || limit=$((budget - begin))
    if ((limit < 5)); then
        left_out "$name" "no time was left"
        failed=1
        return 0
    fi
    printf '== %s\n' "$name"
    timeout "$limit" "$@" >"$out/$name.log" 2>&1 || code=$?
    tail -n 40 "$out/$name.log"
    printf '%s\t%s\t%s\t\n' "$name" "$code" "$((SECONDS - begin))" >>"$steps"
    ((code == 0)) || failed=1
    return 0
}

# left_out NAME REASON
left_out() {
    printf '== %s: not run: %s\n' "$1" "$2"
    printf '%s\tnull\t0\t%s\n' "$1" "$2" >>"$steps"
}

tests=(python3 -m pytest -m gpu -q -p no:cacheprovider --basetemp "$work/pytest" -W ignore)
few='any_types or aligned or split or nan or rows_with or odd_boxes or best_of_each or workspace'

step device 30 nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.mem --format=csv
step resources 60 python3 -m sealshot bench kernels --compile 87,90,110 \
    -o "$out/kernel-resources.json"
step tests 120 "${tests[@]}" tests/kernels
if missing=$(python3 -c 'import cryptography, tensorrt' 2>&1); then
    step tensorrt 60 "${tests[@]}" tests/runtime/engines
else
    left_out tensorrt "$(tail -n 1 <<<"$missing")"
fi
step measurements 170 python3 -m sealshot bench kernels -o "$out/kernels.json"

sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
for tool in memcheck racecheck; do
    if [[ ! -x $sanitizer ]]; then
        left_out "$tool" "no compute-sanitizer here"
    elif ! timeout 30 "$sanitizer" --tool "$tool" python3 -c \
        'from sealshot.kernels.gpu import kernels; kernels()' >"$work/probe" 2>&1; then
        left_out "$tool" "compute-sanitizer does not run here: $(tail -n 1 "$work/probe")"
    else
        step "$tool" 75 "$sanitizer" --tool "$tool" --error-exitcode 9 "${tests[@]}" -x -k "$few" \
            tests/kernels/test_rp_likelihood.py tests/kernels/test_crop_kernel.py \
            tests/kernels/test_latents_and_argmax.py
    fi
done

python3 - "$steps" "$out/gpu-check.json" <<'END'
import dataclasses, json, sys
from sealshot.benchmarks.conditions.environment import environment

steps = [line.rstrip("\n").split("\t") for line in open(sys.argv[1])]
fields = {
    "kind": "gpu check",
    "steps": {
        name: {"exit_code": json.loads(code), "seconds": int(seconds), "why_not": reason}
        for name, code, seconds, reason in steps
    },
    "environment": dataclasses.asdict(environment(("torch", "triton"))),
}
with open(sys.argv[2], "w") as file:
    json.dump(fields, file, indent=1)
print(json.dumps(fields["steps"], indent=1))
END
exit "$failed"
