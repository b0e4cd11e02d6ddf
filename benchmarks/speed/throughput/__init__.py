"""Faces and frames per second: ours, the same model by other means, and other people's networks."""
