"""The command `qplex-hrl benchmark budget`: its flags, and what they must be."""

import argparse
from pathlib import Path

__all__ = ["add_budget"]

CONFIGS = ("qplex_hrl_4v4_9", "qplex_hrl_4v2_9_stereo", "qplex_hrl_8v8_9", "qplex_4v4_9", "smoke")


def add_budget(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the budgets' check to their parser."""
    add = parser.add_argument
    add(
        "--configs",
        nargs="+",
        type=Path,
        default=[Path("configs") / f"{name}.yaml" for name in CONFIGS],
        metavar="FILE",
        help="default: five shipped ones",
    )
    add(
        "--most-decisions",
        type=int,
        default=10_000,
        metavar="N",
        help="a larger replay is made as small, as filling it takes long; default: 10000",
    )
    add(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="replace one value of all configurations; may be repeated",
    )
    parser.set_defaults(command=_budget)


def _budget(args: argparse.Namespace) -> int:
    from qplex_bench.speed.budget import measure_budgets

    return measure_budgets(args.configs, args.most_decisions, args.settings)
