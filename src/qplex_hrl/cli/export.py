"""The command `qplex-hrl export`."""

import argparse
from pathlib import Path

from qplex_hrl.cli.flags import Parser
from qplex_hrl.runtime.exit_codes import DONE

__all__ = ["add_export"]


# The class of what `add_subparsers` returns has no public name.
def add_export(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `export` to the command line."""
    _add_export(commands.add_parser("export", help="write a checkpoint's cameras alone"))


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, metavar="CKPT", help="trained cameras")
    add("--output", type=Path, required=True, metavar="FILE.pth", help="what to write")
    parser.set_defaults(command=_export)


def _export(args: argparse.Namespace) -> int:
    from qplex_hrl.evaluation.policy_file import export_policy
    from qplex_hrl.training.run_folder import find_checkpoint

    policy = export_policy(find_checkpoint(args.checkpoint), args.output)
    size = args.output.stat().st_size
    print(f"{args.output}: cameras after {policy.timestep:,} timesteps, {size / 1e3:.0f} kB")
    return DONE
