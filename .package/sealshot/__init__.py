"""sealshot: one sealed best face shot per person, chosen on the camera."""

import os

# Newer releases of ONNX Runtime keep a device identifier and report to its maker, unless this is
# set before its import (microsoft/onnxruntime pull request 27379). A camera reports to nobody.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__: str


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: that takes longer than all else at the start."""
    if name == "__version__":
        from importlib.metadata import version

        return version("sealshot")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
