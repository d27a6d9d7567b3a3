"""The command `qplex-hrl compare`: which of several camera teams is better, and how sure it is."""

import argparse
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from qplex_hrl.cli.flags import Parser
from qplex_hrl.runtime.exit_codes import DONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qplex_hrl.comparison.contestants import Contestant, TrainedRun
    from qplex_hrl.comparison.metric import Evaluation
    from qplex_hrl.comparison.ranking import PlayedContestant, Ranking

__all__ = ["add_compare"]

_WIDTH = 100


# The class of what `add_subparsers` returns has no public name.
def add_compare(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Add `compare` to the command line."""
    parser = commands.add_parser(
        "compare",
        help="which cameras are better on the same episodes, with intervals and a verdict",
        description="A contestant is a run's log or model folder, a checkpoint, scripted cameras "
        "(random, naive, greedy, heuristic, or a mixture such as greedy=0.5,random=0.5) or a "
        "planner (planner, planner-full, planner-stereo). NAME=CONTESTANT names it; RUN,RUN,RUN "
        "makes one contestant of several trainings.",
    )
    add = parser.add_argument
    add("contestants", nargs="+", metavar="CONTESTANT", help="two or more")
    add("--scenario", metavar="S", help="preset or file; default: as trained, or MATE-4v4-9")
    add("--target-agent", metavar="NAME", help="targets; default: as trained, or greedy")
    add("--episodes", type=int, default=64, metavar="N", help="of each; default: 64")
    add("--seed", type=int, default=0, help="of the episodes; default: 0")
    add("--max-episode-steps", type=int, metavar="N", help="frames; default: as trained, or all")
    add(
        "--shared-field-of-view",
        action=argparse.BooleanOptionalAction,
        help="every camera knows what any sees; default: as trained",
    )
    add("--metric", default="coverage_rate", metavar="M", help="that decides; coverage_rate")
    add("--output", type=Path, metavar="DIR", help="write comparison.html, .md, .json there")
    add("--device", default="auto", help="auto, cpu or cuda[:i]")
    parser.set_defaults(command=_compare, plays=True)


def _compare(args: argparse.Namespace) -> int:
    _check(args)
    from qplex_hrl.comparison.contestants import parse_contestants
    from qplex_hrl.comparison.curves import read_evaluations
    from qplex_hrl.comparison.metric import metric_named
    from qplex_hrl.comparison.outputs import NAMES, prepare_folder, write_page, write_results
    from qplex_hrl.comparison.play import play_all, settle_world
    from qplex_hrl.comparison.ranking import rank
    from qplex_hrl.evaluation.players import EvaluationSetting
    from qplex_hrl.runtime.devices import resolve_device
    from qplex_hrl.runtime.seeding import episode_seeds

    metric, device = metric_named(args.metric), resolve_device(args.device)
    contestants = parse_contestants(args.contestants, _find_run)
    histories = [
        [read_evaluations(run.logs) if run.logs else [] for run in each.runs]
        for each in contestants
    ]
    setting = EvaluationSetting(
        args.scenario, args.target_agent, args.shared_field_of_view, args.max_episode_steps
    )
    setting = settle_world(contestants, setting, metric.name, device)
    if args.output is not None:
        prepare_folder(args.output)
    seeds = episode_seeds(args.seed, args.episodes)
    evaluations = play_all(contestants, setting, seeds, device, _tell)
    played = map(_played, contestants, evaluations, histories)
    ranking = rank(list(played), metric)
    command = shlex.join(["qplex-hrl", *_words(args)])
    if args.output is not None:
        write_results(ranking, args.output, command)
    _show(ranking)
    if args.output is not None:
        write_page(ranking, args.output, command)
        print(f"written to {args.output}: {', '.join(NAMES)}")
    return DONE


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before any work is done."""
    if args.episodes < 2:
        raise ValueError(f"--episodes {args.episodes}: expected at least 2")
    for package in ("scipy", *(["matplotlib"] if args.output is not None else [])):
        if find_spec(package) is None:
            raise ValueError(f"compare needs {package}: pip install 'qplex-hrl[compare]'")


def _played(
    contestant: "Contestant",
    evaluations: "Sequence[Evaluation]",
    histories: "Sequence[Sequence[Evaluation]]",
) -> "PlayedContestant":
    """Return what a contestant came to, with those evaluations of its trainings that belong to it.

    Args:
        contestant: who played.
        evaluations: of each run, what it played now.
        histories: of each run, its evaluations during training.
    """
    from qplex_hrl.comparison.curves import of_the_world
    from qplex_hrl.comparison.ranking import PlayedContestant

    if not contestant.runs:
        return PlayedContestant(contestant, tuple(evaluations), ())
    kept = tuple(map(of_the_world, histories, evaluations))
    n_left_out = sum(map(len, histories)) - sum(map(len, kept))
    return PlayedContestant(contestant, tuple(evaluations), kept, n_left_out)


def _show(ranking: "Ranking") -> None:
    """Print the tables and the verdict."""
    from rich.console import Console

    from qplex_hrl.comparison.report import rich_of
    from qplex_hrl.comparison.verdict import notes_of, verdict_of

    console = Console()
    console.width = min(_WIDTH, console.width) if console.is_terminal else _WIDTH
    for table in rich_of(ranking):
        console.print(table)
    for line in (*verdict_of(ranking), *(f"Note: {note}" for note in notes_of(ranking))):
        console.print(line, markup=False, highlight=False)


def _find_run(path: Path) -> "TrainedRun":
    """Return the run that a path stands for; its logs stand where its configuration says."""
    from qplex_hrl.comparison.contestants import TrainedRun
    from qplex_hrl.config import load_stored_config
    from qplex_hrl.evaluation.policy_file import load_policy
    from qplex_hrl.training.run_folder import find_checkpoint

    checkpoint = find_checkpoint(path)
    if path.is_dir() and (path / "config.yaml").exists():
        return TrainedRun(checkpoint, path)
    logs = Path(load_policy(checkpoint).config.logging.log_dir)
    stored = logs / "config.yaml"
    if stored.exists():
        models = Path(load_stored_config(stored).logging.model_dir)
        if models.resolve() == checkpoint.parent.resolve():
            return TrainedRun(checkpoint, logs)
    return TrainedRun(checkpoint, None)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _words(args: argparse.Namespace) -> list[str]:
    """Return the command line that gives this comparison again."""
    words = ["compare", *args.contestants]
    flags = ("scenario", "target_agent", "episodes", "seed", "max_episode_steps", "metric")
    for flag in flags:
        value = getattr(args, flag)
        if value is not None:
            words += [f"--{flag.replace('_', '-')}", str(value)]
    if args.shared_field_of_view is not None:
        words.append(f"--{'' if args.shared_field_of_view else 'no-'}shared-field-of-view")
    return words
