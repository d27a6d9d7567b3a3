"""Flags that several commands have."""

import argparse
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from qplex_hrl.config import Override

__all__ = [
    "FLAG_RANGES",
    "Parser",
    "add_log_level",
    "add_overrides",
    "check_values",
    "overrides_of",
]

Parser = TypeVar("Parser", bound=argparse.ArgumentParser)
"""Of the commands that `add_subparsers` returns."""

_SEEDS = (0, 2**64 - 1)  # one word of the random streams
_FRAMES = (1, 10**7)  # a thousand times an episode of MATE
_COUNT = (1, 10**6)  # days of work
_TIMESTEPS = (0, 10**12)  # `benchmark training` may measure none; commands that need one check it

FLAG_RANGES: dict[str, tuple[float, float]] = {
    "cameras": (0, 1000),
    "cargoes_per_target": (4, 10**5),  # as in a scenario
    "cases": _COUNT,
    "envs_per_worker": (1, 2**16),
    "episodes": (1, 10**5),  # their seeds and results stay small
    "fps": (1, 100),
    "generations": _COUNT,
    "jobs": (1, 1024),
    "max_episode_steps": _FRAMES,
    "max_frames": _FRAMES,
    "message_loss": (0, 1),  # a chance
    "most_decisions": (1, 10**9),  # as `training.buffer_size`
    "obstacles": (0, 1000),
    "population": _COUNT,
    "repeats": _COUNT,
    "resamples": _COUNT,
    "seed": _SEEDS,
    "size": (2, 2**14),  # wider videos have no codec
    "targets": (1, 1000),
    "threads": (1, 1024),
    "timesteps": _TIMESTEPS,
    "transmittance": (0, 1),
    "workers": (1, 1024),
}
"""What numeric flags may be, both ends included; those of a configuration's keys have its bounds.

`--seeds` is a count for some commands and a list for others, which check it."""


_CONFIGURED = {
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
"""Keys of a configuration that flags replace."""


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


def check_values(args: argparse.Namespace) -> None:
    """Check numbers and device of the command line, before any work is done.

    Raises:
        ValueError: a number is out of its flag's range or not finite, or there is no such device.
    """
    configured = [_name_of(flag) for flag in _CONFIGURED] if hasattr(args, "settings") else []
    for name, value in vars(args).items():
        if name not in FLAG_RANGES or not isinstance(value, int | float):
            continue
        low, high = FLAG_RANGES[name]
        if name not in configured and not low <= value <= high:
            flag = "--" + name.replace("_", "-")
            raise ValueError(f"{flag} {value}: expected a number from {low} to {high}")
    if not configured and getattr(args, "device", "auto") not in ("auto", "cpu"):
        from qplex_hrl.runtime.devices import resolve_device

        resolve_device(args.device)


def overrides_of(args: argparse.Namespace) -> list["Override"]:
    """Return what the flags replace in the configuration; single flags win over `--set`."""
    from qplex_hrl.config import Override, parse_override

    overrides = [parse_override(text) for text in args.settings]
    for flag, key in _CONFIGURED.items():
        value = getattr(args, _name_of(flag), None)
        if value is not None:
            overrides.append(Override(key, value, f"{flag} {value}"))
    return overrides


def _name_of(flag: str) -> str:
    """Return the name that a parsed flag has."""
    return flag.removeprefix("--").replace("-", "_")
