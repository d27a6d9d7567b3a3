"""Standalone training: the same as `qplex-hrl train`."""

import sys

from qplex_hrl.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
