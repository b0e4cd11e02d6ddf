"""`sealshot train`: the two scores, the head of one, or the net that draws faces."""

from __future__ import annotations


def main(argv: list[str]) -> int:
    """Run the command."""
    if argv[:1] == ["deid"]:
        from sealshot.export.deid.command import train as train_deid

        return train_deid(argv[1:])
    from sealshot.export.train.command import alike
    from sealshot.export.train.command import main as train_scores

    if argv[:1] == ["alike"]:
        return alike(argv[1:])
    return train_scores(argv)
