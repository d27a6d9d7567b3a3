"""The command `qplex-hrl benchmark gate`: its flags, and what they must be."""

import argparse
from pathlib import Path

__all__ = ["add_gate"]


def add_gate(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the look at the gate to its parser."""
    add = parser.add_argument
    add(
        "--checkpoints",
        type=Path,
        nargs="+",
        required=True,
        metavar="CKPT",
        help="of trainings with the adaptive mixer",
    )
    add("--episodes", type=int, default=64, metavar="N", help="of each; default: 64")
    add("--seed", type=int, default=10_000, metavar="SEED", help="of them; default: 10000")
    add("--output", type=Path, metavar="FILE.svg", help="draw complexity by known targets there")
    parser.set_defaults(command=_gate)


def _gate(args: argparse.Namespace) -> int:
    for flag, least in (("episodes", 1), ("seed", 0)):
        if getattr(args, flag) < least:
            raise ValueError(f"--{flag} {getattr(args, flag)}: expected at least {least}")
    if args.output is not None and args.output.suffix != ".svg":
        raise ValueError(f"--output {args.output}: expected a file name that ends in .svg")
    from qplex_bench.studies.gate import GateSpec, measure_gate

    return measure_gate(GateSpec(tuple(args.checkpoints), args.episodes, args.seed, args.output))
