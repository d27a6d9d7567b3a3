"""Training with Ray RLlib: the same as `qplex-hrl train-ray`."""

import sys

from qplex_hrl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train-ray", *sys.argv[1:]]))
