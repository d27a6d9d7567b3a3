"""The command `qplex-hrl benchmark reaction`: its flags, and what they must be."""

import argparse
from pathlib import Path

__all__ = ["add_reaction"]


def add_reaction(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the measurement of reactions to its parser."""
    add = parser.add_argument
    add(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="CKPT",
        help="trained cameras whose fast_interval is smaller than their frame_skip",
    )
    add(
        "--opponents",
        nargs="+",
        default=("greedy", "evader"),
        metavar="RULE",
        help="rules of the targets; default: greedy evader",
    )
    add("--episodes", type=int, default=64, metavar="N", help="against each; default: 64")
    add("--seed", type=int, default=10_000, metavar="SEED", help="of them; default: 10000")
    add("--max-episode-steps", type=int, metavar="N", help="default: as trained")
    add("--device", default="auto", help="auto, cpu or cuda[:i]")
    parser.set_defaults(command=_reaction)


def _reaction(args: argparse.Namespace) -> int:
    for flag, least in (("episodes", 2), ("seed", 0), ("max_episode_steps", 1)):
        value = getattr(args, flag)
        if value is not None and value < least:
            raise ValueError(f"--{flag.replace('_', '-')} {value}: expected at least {least}")
    from qplex_bench.studies.reaction import ReactionSpec, measure_reactions
    from qplex_hrl.runtime.devices import resolve_device

    opponents, limit = tuple(args.opponents), args.max_episode_steps
    spec = ReactionSpec(args.checkpoint, opponents, args.episodes, args.seed, limit)
    return measure_reactions(spec, resolve_device(args.device))
