"""Measurements: accuracy, throughput, energy."""
