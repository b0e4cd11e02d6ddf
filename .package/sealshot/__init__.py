"""sealshot: one sealed best face shot per person, chosen on the camera."""

import os
from importlib.metadata import version

# Newer releases of ONNX Runtime keep a device identifier and report to its maker, unless this is
# set before its import (microsoft/onnxruntime pull request 27379). A camera reports to nobody.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = version("sealshot")
