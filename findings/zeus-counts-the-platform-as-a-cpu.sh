#!/usr/bin/env bash
# Zeus counts the whole platform (psys) as one more CPU: the CPUs' joules add up to more than twice; total_energy has none.
#
# Expected: cpu_energy has one entry for each processor, a RAPL zone package-N, as codecarbon and perun take it; total_energy is the
# sum of what was measured. Laptops and small PCs of Intel have the zone psys too, that holds all of it: package, memory, board.
# Seen (zeus 0.16.0, on a copy of the kernel's tree of such a PC): each folder intel-rapl:N is a CPU, whatever the file `name` in
# it says, so that of 10 J in the processor and 14 J in the whole PC cpu_energy is {0: 10.0, 1: 14.0}, as of a board with
# two sockets, and their sum is 24 J. total_energy, "total energy consumed (in Joules) during the measurement window", adds GPUs
# alone: 0 on a machine without one. Nothing is said. cpu_indices=[0] keeps psys out, where package-0 is intel-rapl:0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q zeus==0.16.0
mkdir "$folder/powercap"
cat > "$folder/measure.py" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

from zeus.device.cpu import rapl
from zeus.monitor import ZeusMonitor

ROOT = Path(sys.argv[1])
JOULES = {
    "intel-rapl:0": ("package-0", 10),
    "intel-rapl:0/intel-rapl:0:0": ("core", 6),
    "intel-rapl:0/intel-rapl:0:1": ("uncore", 1),
    "intel-rapl:1": ("psys", 14),
}


def main() -> bool:
    for place, (name, _) in JOULES.items():
        zone = ROOT / place
        zone.mkdir()
        (zone / "name").write_text(f"{name}\n")
        (zone / "max_energy_range_uj").write_text("262143328850\n")
        (zone / "energy_uj").write_text("1000000000\n")
    rapl.RAPL_DIR = str(ROOT)  # in place of /sys/class/powercap/intel-rapl
    monitor = ZeusMonitor(gpu_indices=[])
    monitor.begin_window("faces")
    for place, (_, joules) in JOULES.items():
        (ROOT / place / "energy_uj").write_text(f"{1_000_000_000 + joules * 1_000_000}\n")
    found = monitor.end_window("faces")
    print("zeus", version("zeus"))
    print("package-0: 10 J, psys: 14 J; cpu_energy:", found.cpu_energy, "total_energy:", found.total_energy)
    return found.cpu_energy == {0: 10.0, 1: 14.0} and found.total_energy == 0


if __name__ == "__main__":
    sys.exit(not main())
PYTHON
"$folder/venv/bin/python" "$folder/measure.py" "$folder/powercap" 2> "$folder/log" || { cat "$folder/log"; echo changed; exit 1; }
echo "as found"
