"""A trained score for the FPGA: its integers, its proofs and its files."""
