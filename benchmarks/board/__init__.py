"""What a board can do: proof in one go, bounds, rooflines."""
