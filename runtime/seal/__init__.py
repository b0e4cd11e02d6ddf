"""Sealing: age files, their keys, what is inside them, and the two put together."""
