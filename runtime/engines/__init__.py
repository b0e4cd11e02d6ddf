"""Engines that turn crops into quality scores, one file each."""
