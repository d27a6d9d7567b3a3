"""The command `qplex-hrl evaluate`."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qplex_hrl.cli.flags import Parser
from qplex_hrl.cli.play import add_policy, setting_of
from qplex_hrl.runtime.exit_codes import DONE

__all__ = ["add_evaluate"]


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
    if args.episodes < 1:
        raise ValueError(f"--episodes {args.episodes}: expected at least 1")
    if args.seed < 0:
        raise ValueError(f"--seed {args.seed}: expected at least 0")
    if args.output is not None and not os.access(args.output.parent, os.W_OK):
        raise ValueError(f"--output {args.output}: no such folder, or not writable")
    from camsim.files import atomic_write_json
    from qplex_hrl.evaluation.players import EVALUATION_ENVS
    from qplex_hrl.runtime.seeding import episode_seeds

    setting = setting_of(args)
    seeds = episode_seeds(args.seed, args.episodes)
    if args.checkpoint is not None:
        from qplex_hrl.evaluation.trained import evaluate_checkpoint
        from qplex_hrl.runtime.devices import resolve_device
        from qplex_hrl.training.run_folder import find_checkpoint

        device = resolve_device(args.device)
        path = find_checkpoint(args.checkpoint)
        result = evaluate_checkpoint(path, setting, seeds, num_envs=EVALUATION_ENVS, device=device)
    else:
        from qplex_hrl.evaluation.evaluate import evaluate_scripted

        result = evaluate_scripted(args.camera_agent, setting, seeds, num_envs=EVALUATION_ENVS)
    _print_evaluation(result)
    if args.output is not None:
        atomic_write_json(args.output, result)
    return DONE


# Any: an evaluation is a JSON object of numbers, lists and text.
def _print_evaluation(result: Mapping[str, Any]) -> None:
    for key in ("policy", "scenario", "opponent", "regime"):
        print(f"{key:<27} {result['provenance'][key]}")
    print(f"{'episodes':<27} {result['n_episodes']}")
    for key, mean in result.items():
        if key.startswith("mean_") and mean is not None:
            low, high = result[key.replace("mean_", "ci95_", 1)]
            print(f"{key:<27} {mean:.4g}  (95 % interval {low:.4g} to {high:.4g})")
