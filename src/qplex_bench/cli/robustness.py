"""The command `qplex-hrl benchmark robustness`: its flags, and what they must be."""

import argparse
from pathlib import Path

__all__ = ["add_robustness"]

_SHIPPED = tuple(Path("pretrained", f"qplex_hrl_4v4_9{regime}.pth") for regime in ("", "_shared"))


def add_robustness(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the robustness table to its parser."""
    add = parser.add_argument
    add(
        "--checkpoints",
        nargs="+",
        type=Path,
        default=_SHIPPED,
        metavar="CKPT",
        help="trained cameras; default: the shipped ones for MATE-4v4-9 in pretrained/",
    )
    add("--episodes", type=int, default=64, metavar="N", help="of each evaluation; default: 64")
    add(
        "--max-episode-steps",
        type=int,
        default=2000,
        metavar="N",
        help="time limit of every episode; default: 2000",
    )
    add("--device", default="auto", help="auto, cpu or cuda[:i]")
    add(
        "--output",
        type=Path,
        default=Path("results/robustness"),
        metavar="DIR",
        help="evaluations and table; started there before, it goes on; default: results/robustness",
    )
    parser.set_defaults(command=_robustness)


def _robustness(args: argparse.Namespace) -> int:
    for flag, least in (("episodes", 2), ("max_episode_steps", 1)):
        value = getattr(args, flag)
        if value < least:
            name = flag.replace("_", "-")
            raise ValueError(f"--{name} {value}: expected at least {least}")
    from qplex_bench.studies.robustness import measure_robustness
    from qplex_bench.studies.robustness_report import RobustnessSpec
    from qplex_hrl.runtime.devices import resolve_device

    checkpoints = tuple(dict.fromkeys(args.checkpoints))
    spec = RobustnessSpec(checkpoints, args.episodes, args.max_episode_steps, args.output)
    return measure_robustness(spec, resolve_device(args.device))
