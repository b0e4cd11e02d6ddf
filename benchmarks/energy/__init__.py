"""Joules and watts, by the meters of the board or one outside it."""
