#!/usr/bin/env bash
# onvif-zeep-async sets up the log of the whole process when it is imported, and takes its proxies away.
#
# Expected: a library logs to its own logger, leaves the root logger to the application (Python's logging HOWTO), and
# reads the environment without changing it.
# Seen (onvif-zeep-async 4.3.0): `import onvif` calls logging.basicConfig(level=INFO), so that each library's INFO is
# printed from then on; making an ONVIFCamera deletes http_proxy and https_proxy from os.environ, so that what the
# same process sends elsewhere no longer goes through the proxy. HTTP_PROXY, in capitals, stays.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onvif-zeep-async==4.3.0
http_proxy=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 "$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import logging
import os
import sys
from importlib.metadata import version

before = len(logging.root.handlers), logging.getLevelName(logging.root.level)
import onvif

after = len(logging.root.handlers), logging.getLevelName(logging.root.level)


async def make() -> None:
    camera = onvif.ONVIFCamera("127.0.0.1", 80, "user", "password")
    await camera.close()


asyncio.run(make())
left = [name for name in ("http_proxy", "HTTP_PROXY") if name in os.environ]
print("onvif-zeep-async", version("onvif-zeep-async"))
print(f"handlers and level of the root logger: {before} before the import, {after} after it")
print(f"proxies that are left after ONVIFCamera(): {left}")
changed = (before, after, left) == ((0, "WARNING"), (1, "INFO"), ["HTTP_PROXY"])
sys.exit(0 if changed else 1)
PYTHON
