"""The command `qplex-hrl evaluate`."""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qplex_hrl.cli.flags import Parser
from qplex_hrl.cli.play import add_policy, setting_of
from qplex_hrl.runtime.exit_codes import DONE

if TYPE_CHECKING:
    from qplex_hrl.evaluation.evaluate import EvaluationPlan

__all__ = ["add_evaluate"]

_TRAINING_REWARD = "mean_episode_reward"


# The class of what `add_subparsers` returns has no public name.
def add_evaluate(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `evaluate` to the command line."""
    _add_evaluate(commands.add_parser("evaluate", help="measure a checkpoint or scripted cameras"))


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_policy(parser)
    add("--episodes", type=int, default=64, metavar="N", help="default: 64")
    add("--output", type=Path, metavar="FILE.json", help="write the whole result there")
    parser.set_defaults(command=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    if args.output is not None and args.output.is_dir():
        raise ValueError(f"--output {args.output}: a folder; expected a file")
    if args.output is not None and not os.access(args.output.parent, os.W_OK):
        raise ValueError(f"--output {args.output}: no such folder, or not writable")
    from camsim.files import atomic_write_json
    from qplex_hrl.runtime.seeding import episode_seeds

    seeds = episode_seeds(args.seed, args.episodes)
    plan = _plan(args)
    _print_header(args, plan)
    with _progress(f"playing {args.episodes} episodes"):
        result = plan.play(seeds)
    _print_metrics(result)
    if args.output is not None:
        atomic_write_json(args.output, result)
        print(f"written to {args.output}")
    return DONE


def _plan(args: argparse.Namespace) -> "EvaluationPlan":
    """Return the evaluation that the flags ask for, nothing played yet."""
    from qplex_hrl.evaluation.players import EVALUATION_ENVS

    setting = setting_of(args)
    if args.checkpoint is None:
        from qplex_hrl.evaluation.evaluate import plan_scripted

        return plan_scripted(args.camera_agent, setting, args.episodes, num_envs=EVALUATION_ENVS)
    from qplex_hrl.evaluation.trained import plan_checkpoint
    from qplex_hrl.runtime.devices import resolve_device
    from qplex_hrl.training.run_folder import find_checkpoint

    args.checkpoint = find_checkpoint(args.checkpoint)
    return plan_checkpoint(
        args.checkpoint,
        setting,
        args.episodes,
        num_envs=EVALUATION_ENVS,
        device=resolve_device(args.device),
    )


def _print_header(args: argparse.Namespace, plan: "EvaluationPlan") -> None:
    """Say who plays where."""
    about = plan.provenance
    if plan.timestep is not None:
        _print_row("checkpoint", f"{args.checkpoint}, after {plan.timestep:,} timesteps")
    else:
        _print_row("cameras", about["policy"])
    for key in ("scenario", "opponent", "regime"):
        _print_row(key, about[key])
    if about["message_loss"]:
        _print_row("message loss", about["message_loss"])
    _print_row("episodes", f"{args.episodes}, seed {args.seed}")
    sys.stdout.flush()


@contextmanager
def _progress(words: str) -> Iterator[None]:
    """Say what goes on, and on a terminal for how long."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from qplex_hrl.runtime.logger import is_live

    console = Console(stderr=True)
    if not is_live(console):
        print(f"{words} ...", file=sys.stderr, flush=True)
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description} ..."), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(words, total=None)
        yield


# Any: an evaluation is a JSON object of numbers, lists and text.
def _print_metrics(result: Mapping[str, Any]) -> None:
    for key, mean in result.items():
        if not key.startswith("mean_") or mean is None:
            continue
        if key == _TRAINING_REWARD and result["timestep"] is None:
            continue  # nobody configured a reward for cameras that do not learn
        low, high = result[key.replace("mean_", "ci95_", 1)]
        _print_row(key, f"{mean:.4g}  (95 % interval {low:.4g} to {high:.4g})")


def _print_row(key: str, value: object) -> None:
    print(f"{key:<27} {value}")
