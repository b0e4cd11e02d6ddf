"""The scorer `quality` as hardware: its integer arithmetic in NumPy, and the RTL in Amaranth."""
