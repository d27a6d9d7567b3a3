"""Which cameras play, and where, as flags; the command `qplex-hrl render`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from qplex_hrl.cli.flags import Parser, add_log_level
from qplex_hrl.runtime.exit_codes import DONE

if TYPE_CHECKING:
    from qplex_hrl.evaluation.episode_record import Episode
    from qplex_hrl.evaluation.players import EvaluationSetting

__all__ = ["add_policy", "add_render", "episode_of", "first_episode", "setting_of"]

_POLICIES = "random, naive, greedy, heuristic, or a mixture such as greedy=0.5,random=0.5"
_OPPONENTS = f"evader, {_POLICIES}"


# The class of what `add_subparsers` returns has no public name.
def add_render(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `render` to the command line."""
    _add_render(commands.add_parser("render", help="make a video of one episode"))


def _add_render(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_policy(parser)
    add("--output", type=Path, required=True, metavar="FILE", help="the video: .mp4 or .gif")
    add("--max-frames", type=int, metavar="N", help="stop after N frames; default: whole episode")
    add("--size", type=int, default=960, metavar="PIXELS", help="width, even; default: 960")
    add("--beliefs", action="store_true", help="draw where cameras expect targets out of view")
    add("--fps", type=float, default=30.0, help="frames per second; default: 30")
    parser.set_defaults(command=_render)


def add_policy(parser: argparse.ArgumentParser) -> None:
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
    add_log_level(parser)
    parser.set_defaults(plays=True)


def setting_of(args: argparse.Namespace) -> "EvaluationSetting":
    """Return what the flags say of the world that cameras play in."""
    from qplex_hrl.evaluation.players import EvaluationSetting

    view, loss = args.shared_field_of_view, args.message_loss
    return EvaluationSetting(args.scenario, args.target_agent, view, message_loss=loss)


def first_episode(args: argparse.Namespace) -> "Episode":
    """Return the first episode that `evaluate` plays with the same flags, frame by frame.

    Raises:
        ValueError: a flag is out of range, or the cameras or their world do not exist.
    """
    cameras = args.camera_agent if args.checkpoint is None else args.checkpoint
    return episode_of(cameras, setting_of(args), args.seed, args.device)


def episode_of(
    cameras: str | Path, setting: "EvaluationSetting", seed: int, device: str
) -> "Episode":
    """Return the first episode of an evaluation with this seed, frame by frame.

    Args:
        cameras: name of a rule or planner; or the path of a checkpoint or of a run's folder.
        setting: where they play.
        seed: of the evaluation.
        device: of the network.

    Raises:
        ValueError: the cameras or their world do not exist.
    """
    from qplex_hrl.evaluation.episode_record import record_checkpoint, record_scripted
    from qplex_hrl.runtime.devices import resolve_device
    from qplex_hrl.training.run_folder import find_checkpoint

    if isinstance(cameras, str):
        return record_scripted(cameras, setting, seed)
    return record_checkpoint(find_checkpoint(cameras), setting, seed, resolve_device(device))


def _render(args: argparse.Namespace) -> int:
    from camsim.render import check_video_path
    from qplex_hrl.evaluation.episode_record import render_episode

    check_video_path(args.output)
    episode = first_episode(args)
    n_frames = render_episode(
        episode,
        args.output,
        size=args.size,
        fps=args.fps,
        max_frames=args.max_frames,
        beliefs=args.beliefs,
    )
    print(f"written to {args.output} ({n_frames} frames)")
    return DONE
