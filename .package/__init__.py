"""sealshot: one sealed best face shot per person, chosen on the camera."""

from importlib.metadata import version

__version__ = version("sealshot")
