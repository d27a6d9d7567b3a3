"""The command `qplex-hrl benchmark table`: its flags, and what they must be."""

import argparse
from pathlib import Path

__all__ = ["add_table"]

_SYSTEMS = ("qplex", "qplex_dev", "hrl_qmix", "hrl_vdn", "hrl_qplex", "qplex_hrl")


def add_table(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the table to its parser."""
    add = parser.add_argument
    add(
        "--systems",
        nargs="+",
        default=_SYSTEMS,
        metavar="NAME",
        help=f"names of files in --configs; default: {' '.join(_SYSTEMS)}",
    )
    add("--scenarios", nargs="+", default=("MATE-4v4-9",), metavar="S", help="default: MATE-4v4-9")
    add(
        "--regimes",
        nargs="+",
        default=("own",),
        metavar="R",
        help="own or shared field of view, or both; default: own",
    )
    add("--seeds", type=int, default=3, metavar="N", help="trainings of each row; default: 3")
    add("--timesteps", type=int, default=500_000, metavar="N", help="frames; default: 500000")
    add("--episodes", type=int, default=32, metavar="N", help="of each evaluation; default: 32")
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time; default: 1")
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
        default=Path("results/table"),
        metavar="DIR",
        help="runs and table; started there before, it goes on; default: results/table",
    )
    parser.set_defaults(command=_table)


def _table(args: argparse.Namespace) -> int:
    for flag in ("seeds", "timesteps", "episodes", "jobs"):
        if getattr(args, flag) < 1:
            raise ValueError(f"--{flag} {getattr(args, flag)}: expected at least 1")
    from qplex_hrl.table import make_table
    from qplex_hrl.table_runs import TableSpec

    spec = TableSpec(
        systems=tuple(dict.fromkeys(args.systems)),
        scenarios=tuple(dict.fromkeys(args.scenarios)),
        regimes=tuple(dict.fromkeys(args.regimes)),
        n_seeds=args.seeds,
        timesteps=args.timesteps,
        episodes=args.episodes,
        settings=tuple(args.settings),
        scripted=args.scripted,
        configs=args.configs,
        output=args.output,
    )
    return make_table(spec, args.jobs)
