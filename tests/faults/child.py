"""The inside of a forked process: patches that inject a fault, then the command itself."""

import os
import sys
from pathlib import Path

import qplex_hrl.comparison.play
import qplex_hrl.evaluation.evaluate
import qplex_hrl.training.trainer  # noqa: F401  (imported by the server, once)
from qplex_hrl.cli.main import main


def run(arguments: list[str], folder: str, patch: str | None, value: float) -> None:
    """Do a command as a process of its own does it."""
    os.setsid()
    os.chdir(folder)
    for number, name in ((1, "stdout.txt"), (2, "stderr.txt")):
        with Path(name).open("ab") as file:
            os.dup2(file.fileno(), number)
    if patch is not None:
        globals()[patch](value)
    sys.exit(main(arguments))
