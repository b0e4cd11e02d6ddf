"""The parts of `sealshot board check`: its steps, the run through them, the page."""
