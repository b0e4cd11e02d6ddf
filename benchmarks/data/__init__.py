"""Data sets of faces: read, detect, align, embed; what takes long is cached."""
