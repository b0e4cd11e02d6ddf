"""The likelihood of `rp` as hardware: its integer arithmetic in NumPy, and the RTL in Amaranth."""
