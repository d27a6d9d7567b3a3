"""The command `qplex-hrl benchmark intervals`: its flags, and what they must be."""

import argparse
from importlib.util import find_spec

__all__ = ["add_intervals"]


def add_intervals(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the simulation of intervals to its parser."""
    add = parser.add_argument
    add("--cases", type=int, default=1000, metavar="N", help="data sets of each; default: 1000")
    add(
        "--episodes",
        type=int,
        nargs="+",
        default=(32, 64),
        metavar="N",
        help="of a data set; default: 32 64",
    )
    add("--resamples", type=int, default=1999, metavar="N", help="of a bootstrap; default: 1999")
    add(
        "--plain",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="SciPy's percentile and BCa intervals of means beside ours; default: yes",
    )
    parser.set_defaults(command=_intervals)


def _intervals(args: argparse.Namespace) -> int:
    if find_spec("scipy") is None:
        raise ValueError("benchmark intervals needs scipy: pip install 'qplex-hrl[compare]'")
    for flag, value, least in (
        ("cases", args.cases, 1),
        ("episodes", min(args.episodes), 2),
        ("resamples", args.resamples, 99),
    ):
        if value < least:
            raise ValueError(f"--{flag} {value}: expected at least {least}")
    from qplex_bench.studies.interval_coverage import CoverageSpec, measure_intervals

    spec = CoverageSpec(args.cases, tuple(args.episodes), args.resamples, args.plain)
    return measure_intervals(spec)
