"""Open the shots of a vault that one key opens: python open_shots.py VAULT KEY FOLDER."""

import sys
from pathlib import Path

import sealshot


def main() -> None:
    """Write the picture of each shot, and say why it was chosen."""
    vault, key, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(vault.glob("*/*.age")):
        shot = sealshot.open_shot(path, key)
        (folder / f"{path.stem}.{shot.metadata.picture}").write_bytes(shot.picture)
        print(f"{path.stem}: {shot.metadata.reason}")


if __name__ == "__main__":
    main()
