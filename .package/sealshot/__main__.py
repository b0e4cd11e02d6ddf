"""`python -m sealshot`: the `sealshot` program."""

import sys

from sealshot.runtime.cli.main import main

sys.exit(main())
