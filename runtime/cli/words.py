"""Sentences that several commands print."""

PERCENTILE = (
    "percentile: the share of the photographs that the score was trained on that score lower; "
    "moving people often stay below 10, and their shots can be good all the same"
)
"""What stands below each table that has the column."""


def claimed(count: int) -> str:
    """Say of shots that they were sealed more than a day after they were taken, or before."""
    return (
        f"{counted(count, 'shot')} sealed more than a day after the time of taking, or before it: "
        "only whoever had the camera's key on the day of sealing vouches for that time"
    )


def counted(count: int, one: str, more: str = "") -> str:
    """Return how many of a thing there are: 1 shot, 2 shots, 3 people."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
