"""The command `qplex-hrl doctor`."""

import argparse
from pathlib import Path

from qplex_hrl.cli.flags import Parser, add_overrides, overrides_of
from qplex_hrl.runtime.exit_codes import DONE, FAILED

__all__ = ["add_doctor"]


# The class of what `add_subparsers` returns has no public name.
def add_doctor(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `doctor` to the command line."""
    doctor = commands.add_parser(
        "doctor",
        help="check what is installed, memory, disk, folders, kernels and speed",
        description="Looks at this machine and says what to do about what is wrong. "
        "Exit code 0: nothing is, 1: something is.",
    )
    doctor.add_argument(
        "--config", type=Path, metavar="FILE", help="of the training to be run; default: shipped"
    )
    add_overrides(doctor)
    doctor.set_defaults(command=_doctor, plays=True)


def _doctor(args: argparse.Namespace) -> int:
    from qplex_hrl.config import load_config

    config = load_config(args.config, overrides_of(args))
    from qplex_hrl.training.doctor import Level, examine

    n_wrong = 0
    for finding in examine(config):
        print(f"{finding.level.value:<6} {finding.name:<14} {finding.value}", flush=True)
        if finding.remedy is not None:
            print(f"{'':<21} -> {finding.remedy}")
        n_wrong += finding.level is Level.WRONG
    print("nothing is wrong" if not n_wrong else f"wrong: {n_wrong}")
    return FAILED if n_wrong else DONE
