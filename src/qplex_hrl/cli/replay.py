"""The command `qplex-hrl replay`: an episode as a page that a browser plays."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from qplex_hrl.cli.flags import Parser
from qplex_hrl.cli.play import add_policy, episode_of, first_episode, setting_of
from qplex_hrl.runtime.exit_codes import DONE

if TYPE_CHECKING:
    from qplex_hrl.evaluation.episode_record import Episode
    from qplex_hrl.viewer.recording import Recording

__all__ = ["add_replay"]

_DEFAULT_FRAMES = 1200
_LARGE_MB = 20.0


# The class of what `add_subparsers` returns has no public name.
def add_replay(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `replay` to the command line."""
    parser = commands.add_parser("replay", help="make a page that plays one episode, with beliefs")
    add_policy(parser)
    add = parser.add_argument
    add("--against", metavar="OTHER", help="other cameras beside: a checkpoint, a folder or a name")
    add("--output", type=Path, required=True, metavar="FILE.html", help="the page")
    add(
        "--max-frames",
        type=int,
        default=_DEFAULT_FRAMES,
        metavar="N",
        help=f"stop after N frames; default: {_DEFAULT_FRAMES}",
    )
    add("--jump-to", metavar="FRAME", help="where it starts: a frame, or `lost`: the longest loss")
    parser.set_defaults(command=_replay)


def _replay(args: argparse.Namespace) -> int:
    jump_to = _checked(args)
    from qplex_hrl.viewer.losses import longest_loss
    from qplex_hrl.viewer.page import write_page
    from qplex_hrl.viewer.recording import record_episode

    episodes = [first_episode(args)]
    if args.against is not None:
        episodes = _told_apart(episodes[0], _other_episode(args, episodes[0]))
    recordings = [record_episode(episode, args.max_frames) for episode in episodes]
    last_frame = max(len(recording.arrays["coverage"]) for recording in recordings) - 1
    if jump_to is None:
        loss = longest_loss(recordings[0].arrays)
        jump_to = 0 if loss is None else loss.first_frame
    elif jump_to > last_frame:
        print(
            f"--jump-to {jump_to}: the episode ends before; the page starts at frame {last_frame}"
        )
        jump_to = last_frame
    write_page(recordings, args.output, jump_to=jump_to)
    for recording in recordings:
        print(_summary(recording))
    size = args.output.stat().st_size / 1e6
    advice = "; large for a browser: --max-frames makes it smaller" if size > _LARGE_MB else ""
    print(f"written to {args.output} ({size:.1f} MB{advice})")
    return DONE


def _checked(args: argparse.Namespace) -> int | None:
    """Return the frame that the page starts at, None for the longest loss.

    Raises:
        ValueError: a flag is out of range, or the page cannot be written there.
    """
    if args.output.suffix != ".html":
        raise ValueError(f"--output {args.output}: expected a file that ends in .html")
    if not os.access(args.output.parent, os.W_OK):
        raise ValueError(f"--output {args.output}: no such folder, or not writable")
    if args.output.is_dir():
        raise ValueError(f"--output {args.output}: is a folder; expected the name of a file")
    if args.max_frames < 2:
        raise ValueError(f"--max-frames {args.max_frames}: expected at least 2")
    jump_to = _frame_of(args.jump_to)
    if jump_to is not None and jump_to >= args.max_frames:
        raise ValueError(
            f"--jump-to {jump_to}: expected less than the {args.max_frames} frames of --max-frames"
        )
    return jump_to


def _other_episode(args: argparse.Namespace, first: "Episode") -> "Episode":
    """Return the episode of `--against` in the world of the first one.

    Raises:
        ValueError: the cameras do not exist, or the targets would observe something else.
    """
    world = setting_of(args)._replace(
        scenario=first.scenario,
        opponent=first.opponent,
        max_episode_steps=first.sim.params.max_episode_steps,
    )
    other = episode_of(_cameras_named(args.against), world, args.seed, args.device)
    if other.opponent_view != first.opponent_view:
        raise ValueError(
            f"--against {args.against}: its targets have the view {other.opponent_view!r}, those of"
            f" {first.policy} the view {first.opponent_view!r}; expected the same world"
        )
    return other


def _cameras_named(text: str) -> str | Path:
    """Return a rule's name, or the path of a file or folder; `./greedy` is a path."""
    from qplex_hrl.evaluation.players import is_planner

    if not Path(text).exists():
        return text
    try:
        is_planner(text)
    except ValueError:
        return Path(text)
    return Path(text) if "=" in text else text


def _told_apart(first: "Episode", second: "Episode") -> list["Episode"]:
    """Return both; checkpoints of one file name are named with as many folders as differ."""
    episodes = [first, second]
    paths = [each.checkpoint.absolute().parts for each in episodes if each.checkpoint is not None]
    if len(paths) < 2:
        return episodes
    for n in range(1, max(map(len, paths))):
        names = ["/".join(parts[-n:]) for parts in paths]
        if names[0] != names[1]:
            return [each._replace(policy=name) for each, name in zip(episodes, names, strict=True)]
    return episodes


def _summary(recording: "Recording") -> str:
    about, n_frames = recording.about, len(recording.arrays["coverage"])
    first = "" if about["whole"] else "first "
    return (
        f"{about['policy']}: {first}{n_frames} frames, mean coverage {about['mean_coverage']:.3f}"
    )


def _frame_of(text: str | None) -> int | None:
    """Return the frame that the page starts at; None: the longest loss."""
    if text is None:
        return 0
    if text == "lost":
        return None
    if not text.isdecimal():
        raise ValueError(f"--jump-to {text}: expected a frame, such as 250, or lost")
    return int(text)
