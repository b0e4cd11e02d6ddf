"""What the commands beyond the base install need: the extra that brings it, and its download."""

from __future__ import annotations

import textwrap

EXTRAS = {
    "bench": "pip install 'sealshot[bench]' (a download of 35 MB)",
    "export": "pip install 'sealshot[export]' (a download of 3 GB with the build of PyTorch for "
    "GPUs; of 240 MB if you install PyTorch's CPU build first, as pytorch.org says)",
    "onvif": "pip install 'sealshot[onvif]' (a download of 10 MB)",
    "fpga": "pip install 'sealshot[fpga]'",
    "service": "pip install 'sealshot[service]' (a download of 1 MB)",
}
"""Extra -> how to get it, and what it costs."""

OF_COMMAND = {"train": "export", "export": "export"}
"""Commands that need more than ``bench``."""
BROUGHT = {
    "torch": "export",
    "onnx": "bench",
    "matplotlib": "bench",
    "amaranth": "fpga",
    "msgspec": "service",
    "paho": "service",
    "shtab": "service",
    "prometheus_client": "service",
    "onvif": "onvif",
}
"""Import name -> the least extra that brings it."""


def needs(extra: str) -> str:
    """Return the sentence for the usage of a command."""
    return textwrap.fill(f"Needs {EXTRAS[extra]}.", 100)


def how_to_get(module: str, command: str) -> str:
    """Return the hint for a module that is not installed; empty where no extra brings it."""
    extra = BROUGHT.get(module.partition(".")[0])
    if extra == "bench":
        extra = OF_COMMAND.get(command, extra)
    return EXTRAS[extra] if extra else ""
