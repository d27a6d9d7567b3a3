"""Flags that several commands have."""

import argparse
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from qplex_hrl.config import Override

__all__ = ["Parser", "add_log_level", "add_overrides", "overrides_of"]

Parser = TypeVar("Parser", bound=argparse.ArgumentParser)
"""Of the commands that `add_subparsers` returns."""


def add_log_level(parser: argparse.ArgumentParser) -> None:
    """Add `--log-level`."""
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parser.add_argument("--log-level", choices=levels, default="INFO", help="default: INFO")


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add the flags that replace values of a configuration."""
    add = parser.add_argument
    add(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="replace one value of the configuration; may be repeated",
    )
    add("--seed", type=int, help="training.seed")
    add("--total-timesteps", type=int, metavar="N", help="training.total_timesteps")
    add("--log-dir", metavar="DIR", help="logging.log_dir")
    add("--model-dir", metavar="DIR", help="logging.model_dir")
    add("--device", help="training.device: auto, cpu or cuda[:i]")


def overrides_of(args: argparse.Namespace) -> list["Override"]:
    """Return what the flags replace in the configuration; single flags win over `--set`."""
    from qplex_hrl.config import Override, parse_override

    flags = {
        "--seed": "training.seed",
        "--total-timesteps": "training.total_timesteps",
        "--log-dir": "logging.log_dir",
        "--model-dir": "logging.model_dir",
        "--device": "training.device",
        "--num-workers": "ray.num_workers",
        "--num-gpus": "ray.num_gpus",
        "--project": "logging.wandb.project",
        "--group": "logging.wandb.group",
    }
    overrides = [parse_override(text) for text in args.settings]
    for flag, key in flags.items():
        value = getattr(args, flag.removeprefix("--").replace("-", "_"), None)
        if value is not None:
            overrides.append(Override(key, value, f"{flag} {value}"))
    return overrides
