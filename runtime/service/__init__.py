"""All cameras of a box in one process that runs for years: configuration, state, events."""

from pathlib import Path

UNITS = Path(__file__).parent / "units"
"""Units for systemd; ``@SEALSHOT@`` in them stands for the program."""
