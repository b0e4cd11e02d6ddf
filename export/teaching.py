"""`sealshot train`: the two scores, the head of one, or the net that draws faces."""

from __future__ import annotations


def main(argv: list[str]) -> int:
    """Run the command."""
    if argv[:1] == ["deid"]:
        from sealshot.export.deid.command import train as train_deid

        return train_deid(argv[1:])
    if argv[:1] == ["alike"]:
        from sealshot.export.alike import main as train_alike

        return train_alike(argv[1:])
    from sealshot.export.train.command import main as train_scores

    return train_scores(argv)
