"""The command `qplex-hrl replay`: an episode as a page that a browser plays."""

import argparse
import os
from pathlib import Path

from qplex_hrl.cli.flags import Parser
from qplex_hrl.cli.play import add_policy, episode_of, first_episode, setting_of
from qplex_hrl.runtime.exit_codes import DONE

__all__ = ["add_replay"]

_DEFAULT_FRAMES = 1200


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
    if args.output.suffix != ".html":
        raise ValueError(f"--output {args.output}: expected a file that ends in .html")
    if not os.access(args.output.parent, os.W_OK):
        raise ValueError(f"--output {args.output}: no such folder, or not writable")
    if args.max_frames < 2:
        raise ValueError(f"--max-frames {args.max_frames}: expected at least 2")
    jump_to = _frame_of(args.jump_to)
    from qplex_hrl.viewer.losses import longest_loss
    from qplex_hrl.viewer.page import write_page
    from qplex_hrl.viewer.recording import record_episode

    episodes = [first_episode(args)]
    if args.against is not None:
        world = setting_of(args)._replace(
            scenario=episodes[0].scenario, opponent=episodes[0].opponent
        )
        other = Path(args.against) if Path(args.against).exists() else args.against
        episodes.append(episode_of(other, world, args.seed, args.device))
    recordings = [record_episode(episode, args.max_frames) for episode in episodes]
    if jump_to is None:
        loss = longest_loss(recordings[0].arrays)
        jump_to = 0 if loss is None else loss.first_frame
    write_page(recordings, args.output, jump_to=jump_to)
    for recording in recordings:
        about, n_frames = recording.about, len(recording.arrays["coverage"])
        print(f"{about['policy']}: {n_frames} frames, mean coverage {about['mean_coverage']:.3f}")
    print(f"written to {args.output} ({args.output.stat().st_size / 1e6:.1f} MB)")
    return DONE


def _frame_of(text: str | None) -> int | None:
    """Return the frame that the page starts at; None: the longest loss."""
    if text is None:
        return 0
    if text == "lost":
        return None
    if not text.isdecimal():
        raise ValueError(f"--jump-to {text}: expected a frame, such as 250, or lost")
    return int(text)
