"""The command `qplex-hrl benchmark evader`: its flags, and what they must be."""

import argparse
from pathlib import Path

__all__ = ["add_evader"]


def add_evader(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the evader's training to its parser."""
    add = parser.add_argument
    add(
        "--checkpoints",
        nargs="+",
        type=Path,
        default=(),
        metavar="CKPT",
        help="trained cameras to evade, beside greedy ones; default: none",
    )
    for flag, default, what in (
        ("generations", 15, "rounds of the cross-entropy method"),
        ("population", 30, "candidates of each"),
        ("episodes", 32, "episodes of each candidate"),
        ("max-episode-steps", 1000, "time limit of an episode"),
    ):
        add(f"--{flag}", type=int, default=default, metavar="N", help=f"{what}; default: {default}")
    add("--seed", type=int, default=0, help="of candidates and episodes; default: 0")
    add("--device", default="auto", help="of trained cameras: auto, cpu or cuda[:i]")
    parser.set_defaults(command=_evader)


def _evader(args: argparse.Namespace) -> int:
    for flag, least in (
        ("generations", 1),
        ("population", 4),
        ("episodes", 1),
        ("max-episode-steps", 1),
        ("seed", 0),
    ):
        value = getattr(args, flag.replace("-", "_"))
        if value < least:
            raise ValueError(f"--{flag} {value}: expected at least {least}")
    from qplex_bench.studies.train_evader import Training, train_evader
    from qplex_hrl.runtime.devices import resolve_device

    training = Training(
        checkpoints=tuple(args.checkpoints),
        generations=args.generations,
        population=args.population,
        episodes=args.episodes,
        max_episode_steps=args.max_episode_steps,
        seed=args.seed,
    )
    return train_evader(training, resolve_device(args.device))
