"""The parts of `sealshot inspect`: what is remembered of tracks, and how it is drawn."""
