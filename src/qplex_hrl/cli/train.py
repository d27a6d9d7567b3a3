"""The commands `qplex-hrl train` and `qplex-hrl train-ray`."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qplex_hrl.cli.flags import Parser, add_log_level, add_overrides, overrides_of

if TYPE_CHECKING:
    from qplex_hrl.config import Override, RunConfig

__all__ = ["add_train"]


# The class of what `add_subparsers` returns has no public name.
def add_train(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `train` and `train-ray` to the command line."""
    _add_train(commands.add_parser("train", help="train a policy and evaluate it"))
    _add_train_ray(commands.add_parser("train-ray", help="the same with Ray, on many processes"))


def _add_train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--config", type=Path, required=True, metavar="FILE", help="configuration, YAML")
    add("--resume", type=Path, metavar="CKPT", help="checkpoint, or folder of checkpoints")
    add_overrides(parser)
    add_log_level(parser)
    parser.set_defaults(command=_train, plays=True)


def _add_train_ray(parser: argparse.ArgumentParser) -> None:
    _add_train(parser)
    add = parser.add_argument
    add("--num-workers", type=int, metavar="N", help="ray.num_workers")
    add("--num-gpus", type=float, metavar="SHARE", help="ray.num_gpus, such as 0.5")
    add("--project", metavar="NAME", help="log to this project of W&B, too")
    add("--group", metavar="NAME", help="group within the project")
    add("--address", help="of a running Ray cluster; default: RAY_ADDRESS, or this machine alone")
    add("--seeds", type=int, nargs="+", metavar="N", help="one run each, by Ray Tune")
    add(
        "--stop",
        action="append",
        default=[],
        metavar="RESULT=VALUE",
        help="with --seeds: end a run there, such as mean_coverage_rate=0.8; may be repeated",
    )
    parser.set_defaults(command=_train_ray)


def _train(args: argparse.Namespace) -> int:
    from qplex_hrl.config import load_config

    config = load_config(args.config, overrides_of(args))
    from qplex_hrl.training.trainer import train

    return _told(config, train(config, args.resume, args.log_level), "train")


def _train_ray(args: argparse.Namespace) -> int:
    from qplex_hrl.config import load_config

    config = load_config(args.config, [*_wandb_overrides(args), *overrides_of(args)])
    if args.seeds is not None:
        return _tune(config, args)
    if args.stop:
        raise ValueError("--stop goes with --seeds")
    from qplex_hrl.rllib.train import train_ray

    code = train_ray(config, args.resume, args.log_level, args.address)
    return _told(config, code, "train-ray")


def _told(config: "RunConfig", code: int, command: str) -> int:
    """Say what a training has made, and what comes next; return its exit code."""
    from qplex_hrl.training.afterwards import afterwards

    text = afterwards(config, code, command)
    if text:
        print(text)
    return code


def _tune(config: "RunConfig", args: argparse.Namespace) -> int:
    if args.resume is not None:
        raise ValueError("--resume goes on with one run; give it a seed's folder, without --seeds")
    if min(args.seeds) < 0 or len(set(args.seeds)) < len(args.seeds):
        raise ValueError("--seeds: expected different numbers, none below 0")
    stop = {}
    for text in args.stop:
        name, _, value = text.partition("=")
        try:
            stop[name] = float(value)
        except ValueError:
            raise ValueError(f"--stop {text}: expected RESULT=NUMBER") from None
    from qplex_hrl.rllib.tune import tune_seeds

    return tune_seeds(config, args.seeds, stop, args.address)


def _wandb_overrides(args: argparse.Namespace) -> list["Override"]:
    """Return what --project and --group mean: W&B, offline where there is no key to log in with."""
    from qplex_hrl.config import Override

    if args.project is None and args.group is None:
        return []
    flag = "--project" if args.project is not None else "--group"
    overrides = [Override("logging.wandb.enabled", True, flag)]
    mode = os.environ.get("WANDB_MODE")
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    has_key = "WANDB_API_KEY" in os.environ or (
        netrc.is_file() and "wandb" in netrc.read_text(encoding="utf-8", errors="replace")
    )
    if mode != "online" and (mode == "offline" or not has_key):
        print("W&B: offline, files only (no key to log in with)", file=sys.stderr)
        overrides.append(Override("logging.wandb.mode", "offline", flag))
    return overrides
