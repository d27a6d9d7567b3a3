"""The commands `qplex-hrl benchmark table` and `ablation`: their flags, and what they must be."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qplex_bench.tables.plan import TableSpec

__all__ = ["add_ablation", "add_table"]

_SYSTEMS = ("qplex", "qplex_dev", "hrl_qmix", "hrl_vdn", "hrl_qplex", "qplex_hrl")


def add_table(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the table to its parser."""
    parser.add_argument(
        "--systems",
        nargs="+",
        default=_SYSTEMS,
        metavar="NAME",
        help=f"names of files in --configs; default: {' '.join(_SYSTEMS)}",
    )
    _add_runs(parser, "results/table")
    parser.set_defaults(command=_table)


def add_ablation(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the ablation to its parser."""
    parser.add_argument(
        "--parts",
        nargs="+",
        metavar="NAME",
        help="variants of QPLEX HRL, each with one part changed; default: all "
        "(docs/systems.md lists them)",
    )
    _add_runs(parser, "results/ablation")
    parser.set_defaults(command=_ablation)


def _add_runs(parser: argparse.ArgumentParser, output: str) -> None:
    """Add what both tables take: worlds, amounts, settings and folders."""
    add = parser.add_argument
    add("--scenarios", nargs="+", default=("MATE-4v4-9",), metavar="S", help="default: MATE-4v4-9")
    add(
        "--regimes",
        nargs="+",
        default=("own",),
        metavar="R",
        help="own or shared field of view, or stereo, some of them; default: own",
    )
    add("--seeds", type=int, default=3, metavar="N", help="trainings of each row; default: 3")
    add("--timesteps", type=int, default=500_000, metavar="N", help="frames; default: 500000")
    add("--episodes", type=int, default=32, metavar="N", help="of each evaluation; default: 32")
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time; default: 1")
    add(
        "--milestones",
        nargs="+",
        type=int,
        default=(),
        metavar="N",
        help="also the coverage after so many frames, by the evaluations during training",
    )
    add(
        "--pairs", action="store_true", help="also the difference of every two rows, with a verdict"
    )
    add("--scripted", action="store_true", help="also scripted cameras, on the same episodes")
    add(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="replace one value of all configurations; may be repeated",
    )
    add("--configs", type=Path, default=Path("configs"), metavar="DIR", help="default: configs")
    add(
        "--output",
        type=Path,
        default=Path(output),
        metavar="DIR",
        help=f"runs and table; started there before, it goes on; default: {output}",
    )


def _table(args: argparse.Namespace) -> int:
    spec = _spec_of(args, args.systems)
    from qplex_bench.tables.scheduler import make_table

    return make_table(spec, args.jobs)


def _ablation(args: argparse.Namespace) -> int:
    spec = _spec_of(args, ())
    from qplex_bench.tables.ablation import as_ablation, default_parts
    from qplex_bench.tables.scheduler import make_table

    parts = default_parts(args.regimes) if args.parts is None else args.parts
    return make_table(as_ablation(spec, tuple(dict.fromkeys(parts))), args.jobs)


def _spec_of(args: argparse.Namespace, systems: Sequence[str]) -> "TableSpec":
    """Return what the flags describe.

    Raises:
        ValueError: a number is out of range.
    """
    for flag in ("seeds", "timesteps", "episodes", "jobs"):
        if getattr(args, flag) < 1:
            raise ValueError(f"--{flag} {getattr(args, flag)}: expected at least 1")
    for milestone in args.milestones:
        if not 1 <= milestone <= args.timesteps:
            raise ValueError(f"--milestones {milestone}: expected 1 to {args.timesteps} frames")
    from qplex_bench.tables.plan import TableSpec

    return TableSpec(
        systems=tuple(dict.fromkeys(systems)),
        scenarios=tuple(dict.fromkeys(args.scenarios)),
        regimes=tuple(dict.fromkeys(args.regimes)),
        n_seeds=args.seeds,
        timesteps=args.timesteps,
        episodes=args.episodes,
        settings=tuple(args.settings),
        scripted=args.scripted,
        configs=args.configs,
        output=args.output,
        milestones=tuple(sorted(set(args.milestones))),
        pairs=args.pairs,
    )
