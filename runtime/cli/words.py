"""Sentences that several commands print."""

PERCENTILE = (
    "percentile: the share of the photographs that the score was trained on that score lower; "
    "moving people often stay below 10, and their shots can be good all the same"
)
"""What stands below each table that has the column."""
