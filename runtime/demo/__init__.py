"""A clip that sealshot renders itself, whose best frames are known."""
