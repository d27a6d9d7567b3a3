"""The command `qplex-hrl`: everything a person does with this project.

Exit codes: 0 done, 1 a check failed or training diverged, 2 bad input (one line on standard error),
130 interrupted. Heavy modules are imported by the commands that need them.
"""

import argparse
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from qplex_hrl.cli.scenarios import add_scenarios
from qplex_hrl.runtime.exit_codes import BAD_INPUT, DONE, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from qplex_hrl.config import Override, RunConfig
    from qplex_hrl.evaluation.players import EvaluationSetting

__all__ = ["main"]

_POLICIES = "random, naive, greedy, heuristic, or a mixture such as greedy=0.5,random=0.5"
_OPPONENTS = f"evader, {_POLICIES}"

_LOG = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the process's exit code.

    Args:
        arguments: of the command line; those of this process if None.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    args = _build_parser(benchmarks=words[:1] == ["benchmark"]).parse_args(words)
    # PyTorch and Numba each bring OpenMP, whose idle threads spin while the other's work: with more
    # programs on the machine evaluation is six times slower then. Read when they are imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        code: int = args.command(args)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (ValueError, OSError) as error:
        _LOG.debug("stopped by", exc_info=True)
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


class _Parser(argparse.ArgumentParser):
    """Tells a wrong command line in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"error: {self.prog}: {message}\n")


def _build_parser(*, benchmarks: bool) -> argparse.ArgumentParser:
    """Return the parser; that of `benchmark` knows its own commands only if they are wanted."""
    parser = _Parser(prog="qplex-hrl", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_train(commands.add_parser("train", help="train a policy and evaluate it"))
    _add_train_ray(commands.add_parser("train-ray", help="the same with Ray, on many processes"))
    _add_evaluate(commands.add_parser("evaluate", help="measure a checkpoint or scripted cameras"))
    _add_render(commands.add_parser("render", help="make a video of one episode"))

    _add_export(commands.add_parser("export", help="write a checkpoint's cameras alone"))

    add_scenarios(commands)

    benchmark = commands.add_parser("benchmark", help="measure; fails where a stated bar is missed")
    if benchmarks:  # by name: nothing here depends on the package of our own evidence
        import_module("qplex_bench.cli.main").add_benchmarks(benchmark)

    doctor = commands.add_parser("doctor", help="show versions and check that kernels compile")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--config", type=Path, required=True, metavar="FILE", help="configuration, YAML")
    add("--resume", type=Path, metavar="CKPT", help="checkpoint, or folder of checkpoints")
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
    _add_log_level(parser)
    parser.set_defaults(command=_train)


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


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _add_policy(parser)
    add("--episodes", type=int, default=64, metavar="N", help="default: 64")
    add("--output", type=Path, metavar="FILE.json", help="write the whole result there")
    parser.set_defaults(command=_evaluate)


def _add_render(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _add_policy(parser)
    add("--output", type=Path, required=True, metavar="FILE", help="the video: .mp4 or .gif")
    add("--max-frames", type=int, metavar="N", help="stop after N frames; default: whole episode")
    add("--size", type=int, default=640, metavar="PIXELS", help="width, even; default: 640")
    add("--fps", type=float, default=30.0, help="frames per second; default: 30")
    parser.set_defaults(command=_render)


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--checkpoint", type=Path, required=True, metavar="CKPT", help="trained cameras")
    add("--output", type=Path, required=True, metavar="FILE.pth", help="what to write")
    parser.set_defaults(command=_export)


def _add_policy(parser: argparse.ArgumentParser) -> None:
    """Add what says which cameras play, and where."""
    add = parser.add_argument
    cameras = parser.add_mutually_exclusive_group(required=True)
    cameras.add_argument(
        "--checkpoint", type=Path, metavar="CKPT", help="trained cameras; file or folder"
    )
    planners = "planner (looks ahead), planner-full (and sees everything) or planner-stereo"
    cameras.add_argument("--camera-agent", metavar="NAME", help=f"{_POLICIES}; {planners}")
    add("--target-agent", metavar="NAME", help=f"{_OPPONENTS}; default: as trained, or greedy")
    add("--scenario", metavar="S", help="preset or file; default: the checkpoint's, or MATE-4v4-9")
    add("--seed", type=int, default=0, help="of the episodes; default: 0")
    add(
        "--shared-field-of-view",
        action=argparse.BooleanOptionalAction,
        help="every camera knows what any sees; default: as trained",
    )
    add(
        "--message-loss",
        type=float,
        metavar="P",
        help="chance that a message between cameras is lost: of a shared view in each frame, or of "
        "scripted cameras; default: as trained, or 0",
    )
    add("--device", default="auto", help="auto, cpu or cuda[:i]")
    _add_log_level(parser)


def _add_log_level(parser: argparse.ArgumentParser) -> None:
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parser.add_argument("--log-level", choices=levels, default="INFO", help="default: INFO")


def _train(args: argparse.Namespace) -> int:
    from qplex_hrl.config import load_config

    config = load_config(args.config, _overrides(args))
    from qplex_hrl.training.trainer import train

    return train(config, args.resume, args.log_level)


def _train_ray(args: argparse.Namespace) -> int:
    from qplex_hrl.config import load_config

    config = load_config(args.config, [*_wandb_overrides(args), *_overrides(args)])
    if args.seeds is not None:
        return _tune(config, args)
    if args.stop:
        raise ValueError("--stop goes with --seeds")
    from qplex_hrl.rllib.train import train_ray

    return train_ray(config, args.resume, args.log_level, args.address)


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


def _overrides(args: argparse.Namespace) -> list["Override"]:
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


def _setting_of(args: argparse.Namespace) -> "EvaluationSetting":
    """Return what the flags say of the world that cameras play in."""
    from qplex_hrl.evaluation.players import EvaluationSetting

    loss = args.message_loss
    if loss is not None and not 0.0 <= loss <= 1.0:
        raise ValueError(f"--message-loss {loss}: expected 0 to 1")
    view = args.shared_field_of_view
    return EvaluationSetting(args.scenario, args.target_agent, view, message_loss=loss)


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

    setting = _setting_of(args)
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


def _render(args: argparse.Namespace) -> int:
    if args.seed < 0:
        raise ValueError(f"--seed {args.seed}: expected at least 0")
    from camsim.render import check_video_path
    from qplex_hrl.evaluation.episode_record import (
        record_checkpoint,
        record_scripted,
        render_episode,
    )
    from qplex_hrl.runtime.devices import resolve_device
    from qplex_hrl.training.run_folder import find_checkpoint

    check_video_path(args.output)
    setting = _setting_of(args)
    if args.checkpoint is not None:
        path = find_checkpoint(args.checkpoint)
        frames = record_checkpoint(path, setting, args.seed, resolve_device(args.device))
    else:
        frames = record_scripted(args.camera_agent, setting, args.seed)
    n_frames = render_episode(
        frames, args.output, size=args.size, fps=args.fps, max_frames=args.max_frames
    )
    print(f"{args.output}: {n_frames} frames")
    return DONE


def _export(args: argparse.Namespace) -> int:
    from qplex_hrl.evaluation.policy_file import export_policy
    from qplex_hrl.training.run_folder import find_checkpoint

    policy = export_policy(find_checkpoint(args.checkpoint), args.output)
    size = args.output.stat().st_size
    print(f"{args.output}: cameras after {policy.timestep:,} timesteps, {size / 1e3:.0f} kB")
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


def _doctor(args: argparse.Namespace) -> int:
    import time

    import numba
    import numpy as np
    import torch

    from camsim.scenario.schema import load_scenario
    from camsim.sim import BatchSim
    from qplex_hrl.runtime.provenance import code_commit, package_versions

    for name, version in package_versions().items():
        print(f"{name:<12} {version or 'not installed'}")
    print(f"{'commit':<12} {code_commit() or 'unknown'}")
    print(f"{'cores':<12} {os.cpu_count()}")
    print(f"{'threads':<12} numba {numba.get_num_threads()}, torch {torch.get_num_threads()}")
    print(f"{'cuda':<12} {torch.cuda.device_count()} devices")
    started = time.perf_counter()
    simulator = BatchSim(load_scenario("MATE-4v4-9"), 2)
    simulator.reset(np.arange(2, dtype=np.uint64))
    simulator.step(np.zeros((2, 4, 2)), np.zeros((2, 4, 2)))
    finite = bool(np.isfinite(simulator.observe().camera_obs).all())
    seconds = time.perf_counter() - started
    print(f"{'kernels':<12} {'compiled and ran' if finite else 'WRONG'} in {seconds:.1f} s")
    return DONE if finite else FAILED


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {(error.strerror or 'failed').lower()}"
    return " ".join(str(error).split()) or type(error).__name__
