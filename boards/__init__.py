"""Board profiles."""
