"""Footage that was recorded before: many recordings, several workers, one writer that seals."""
