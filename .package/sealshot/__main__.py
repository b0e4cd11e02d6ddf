"""`python -m sealshot`: the `sealshot` program."""

import sys

from sealshot.runtime.cli.start import main

sys.exit(main())
