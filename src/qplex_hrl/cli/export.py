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
    written = parser.add_mutually_exclusive_group(required=True)
    written.add_argument("--output", type=Path, metavar="FILE.pth", help="what to write")
    written.add_argument(
        "--onnx", type=Path, metavar="FILE.onnx", help="write an ONNX file instead"
    )
    parser.set_defaults(command=_export)


def _export(args: argparse.Namespace) -> int:
    from qplex_hrl.evaluation.onnx_export import export_onnx
    from qplex_hrl.evaluation.policy_file import export_policy
    from qplex_hrl.training.run_folder import find_checkpoint

    export, output = (export_policy, args.output) if args.output else (export_onnx, args.onnx)
    if args.onnx and output.suffix != ".onnx":
        raise ValueError(f"--onnx {output}: expected a name that ends in .onnx")
    policy = export(find_checkpoint(args.checkpoint), output)
    size = output.stat().st_size
    print(f"{output}: cameras after {policy.timestep:,} timesteps, {size / 1e3:.0f} kB")
    return DONE
