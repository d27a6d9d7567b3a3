"""`python -m qplex_hrl` is the command `qplex-hrl`."""

import sys

from qplex_hrl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
