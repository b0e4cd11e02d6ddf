"""Error-versus-reject curves."""
