"""The commands `qplex-hrl benchmark decision`, `training` and `torchrl`: their flags."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qplex_bench.speed.versions import ShippedCase

__all__ = ["add_decision", "add_torchrl", "add_training"]

SCENARIOS = ("MATE-4v2-9", "MATE-4v4-9", "MATE-4v8-9", "MATE-8v8-9")
VIEWS = ("own", "shared")


def add_decision(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the decision's parts to their parser."""
    _add_cases(parser)
    parser.set_defaults(command=_decision)


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add the flags of updates and trainings to their parser."""
    _add_cases(parser)
    parser.add_argument(
        "--timesteps",
        type=int,
        default=300_000,
        metavar="N",
        help="frames of a training; 0: updates only; default: 300000",
    )
    parser.set_defaults(command=_training)


def add_torchrl(parser: argparse.ArgumentParser) -> None:
    """Add the flags of frames through TorchRL to their parser."""
    parser.add_argument(
        "--repeats", type=int, default=5, metavar="N", help="whose medians count; default: 5"
    )
    parser.set_defaults(command=_torchrl)


def _add_cases(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    scenarios, views = " ".join(SCENARIOS), " ".join(VIEWS)
    add("--scenarios", nargs="+", default=SCENARIOS, metavar="S", help=f"default: {scenarios}")
    add("--views", nargs="+", choices=VIEWS, default=VIEWS, help=f"default: {views}")
    add("--repeats", type=int, default=5, metavar="N", help="whose medians count; default: 5")
    add("--baseline", metavar="REV", help="also this revision of git, in turn, and ratios")
    add(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="replace one value of all configurations; may be repeated",
    )


def _decision(args: argparse.Namespace) -> int:
    cases = _cases_of(args)
    from qplex_bench.speed.decision import benchmark_decision

    return benchmark_decision(cases, args.baseline, args.repeats, args.settings)


def _training(args: argparse.Namespace) -> int:
    cases = _cases_of(args)
    if args.timesteps < 0:
        raise ValueError(f"--timesteps {args.timesteps}: expected at least 0")
    from qplex_bench.speed.training import Amounts, benchmark_training

    amounts = Amounts(args.repeats, args.timesteps, tuple(args.settings))
    return benchmark_training(cases, args.baseline, amounts)


def _torchrl(args: argparse.Namespace) -> int:
    from qplex_bench.speed.torchrl import benchmark_torchrl

    return benchmark_torchrl(args.repeats)


def _cases_of(args: argparse.Namespace) -> "list[ShippedCase]":
    """Return the worlds that the flags name.

    Raises:
        ValueError: the number of repeats is out of range.
    """
    if args.repeats < 1:
        raise ValueError(f"--repeats {args.repeats}: expected at least 1")
    from qplex_bench.speed.versions import ShippedCase

    return [
        ShippedCase(scenario, view)
        for scenario in dict.fromkeys(args.scenarios)
        for view in dict.fromkeys(args.views)
    ]
