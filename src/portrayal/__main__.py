"""`python -m portrayal` is the command line."""

import sys

from portrayal.cli import main

sys.exit(main())
