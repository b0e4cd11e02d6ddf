"""What a board can reach at most: its roofs, the layers of a score under them, a picture."""
