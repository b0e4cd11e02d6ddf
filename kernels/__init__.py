"""Numerical hot spots: a float64 reference each, and its fast versions."""
