"""`sealshot train`: from folders of face pictures to the score graphs `rp` and `quality`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sealshot.export.train.schedules import EYES, QUALITY, RP
from sealshot.runtime.cli.arguments import Arguments, positive_int
from sealshot.runtime.cli.extras import needs

USAGE = f"""
usage: sealshot train DATA... -o DIR [options]
       sealshot train alike SCORE --groups GROUPS DATA... -o DIR
       sealshot train deid FACES... -o DIR [options]

Train the two scores on folders of face pictures and write DIR/rp.onnx, DIR/quality.onnx and
DIR/eyes.onnx, whose network tells closed eyes for `quality`, each with its manifest,
DIR/rp-pixels.onnx (rp up to the Gaussians of the pixels, for engines that do the likelihood
themselves) and DIR/loss.svg. No labels are read. The folders are standardised one by
one, so give sharp and soft pictures as separate folders.
{needs("export")}

Stop it whenever you like: the same command goes on where it was. The cut faces and the state of the
training are kept in DIR; they show faces.

  -o DIR              where everything is written
  --rp-epochs N       of the variational autoencoder (default {RP.epochs})
  --quality-epochs N  of the student (default {QUALITY.epochs})
  --only-eyes         train the network of the eyes alone: some minutes, once the faces are cut
  --seed N            of weights, order and noise (default {RP.seed})
  --threads N         (default: one a core)

example:
  sealshot train faces-sharp/ faces-soft/ -o trained/
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    arguments = Arguments("train", USAGE)
    arguments.add_argument("data", nargs="+", type=Path)
    arguments.add_argument("-o", dest="out", type=Path, required=True)
    arguments.add_argument("--rp-epochs", type=positive_int, default=RP.epochs)
    arguments.add_argument("--quality-epochs", type=positive_int, default=QUALITY.epochs)
    arguments.add_argument("--only-eyes", action="store_true")
    arguments.add_argument("--seed", type=positive_int, default=RP.seed)
    arguments.add_argument("--threads", type=positive_int)
    given = arguments.parse_args(argv)
    from sealshot.export.train.run import train  # torch, onnx and matplotlib are an extra

    if given.threads:
        import torch

        torch.set_num_threads(given.threads)
    train(
        given.data,
        given.out,
        replace(RP, epochs=given.rp_epochs, seed=given.seed),
        replace(QUALITY, epochs=given.quality_epochs, seed=given.seed),
        replace(EYES, seed=given.seed),
        only_eyes=given.only_eyes,
    )
    return 0
