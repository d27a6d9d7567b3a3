"""What a person is told at the end of a training: files, coverage beside others, what is next."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qplex_hrl.config import EnvConfig, RunConfig
from qplex_hrl.data.make_env import observation_mode
from qplex_hrl.evaluation.baselines import known_baselines, same_world
from qplex_hrl.runtime.exit_codes import DONE, INTERRUPTED
from qplex_hrl.runtime.program import program
from qplex_hrl.training.run_folder import RunFolder

__all__ = ["afterwards"]


def afterwards(config: RunConfig, code: int, command: str) -> str:
    """Return what to print after a training, in lines; nothing if it left nothing to go on with.

    Args:
        config: of the run.
        code: its exit code.
        command: that trained, such as ``train``.
    """
    folder = RunFolder(Path(config.logging.log_dir), Path(config.logging.model_dir))
    if code == INTERRUPTED and folder.checkpoints():
        resume = _command(command, "--config", folder.config, "--resume", folder.model_dir)
        return f"\nTo go on:\n  {resume}"
    if code != DONE or not folder.final_evaluation.exists():
        return ""
    result = json.loads(folder.final_evaluation.read_text(encoding="utf-8"))
    parts = (_files(folder), _coverage(config, result), _next_steps(folder, result["timestep"]))
    return "".join(f"\n{part}\n" for part in parts).rstrip("\n")


def _command(*words: object, of: str = "qplex-hrl") -> str:
    return " ".join([program(of), *(shlex.quote(str(word)) for word in words)])


def _files(folder: RunFolder) -> str:
    """Return the files that a person may want, those that exist."""
    known = {
        folder.final: "the trained cameras",
        folder.best: "those that an evaluation during training found best",
        folder.final_evaluation: "how well the trained cameras cover, every episode",
        folder.metrics: "training curves, one JSON object a line",
        folder.config: "the whole configuration",
    }
    videos = sorted(folder.log_dir.glob("video_*.gif"), key=lambda path: path.stat().st_mtime)
    known |= dict.fromkeys(videos[-1:], "a video of an evaluation during training")
    shown = {path: words for path, words in known.items() if path.exists()}
    width = max(len(str(path)) for path in shown)
    lines = (f"  {path!s:<{width}}  {words}" for path, words in shown.items())
    return "\n".join(["Made:", *lines])


# Any: an evaluation is a JSON object of numbers, lists and text.
def _coverage(config: RunConfig, result: Mapping[str, Any]) -> str:
    """Return the coverage of the trained cameras beside others', as far as these are known."""
    env = config.env
    stereo = config.network.hrl.reward_coefficients.stereo_coverage_rate > 0
    others = known_baselines(config)
    rows = [(each.cameras, each.coverage, each.interval, each.stereo_coverage) for each in others]
    rows.append(
        (
            f"these cameras, after {result['timestep']:,} timesteps",
            result["mean_coverage_rate"],
            result["ci95_coverage_rate"],
            result["mean_stereo_coverage_rate"],
        )
    )
    width = max(len(row[0]) for row in rows)
    world = f"{env.scenario}, {env.opponent} targets, {observation_mode(env)} views"
    lines = [f"Coverage on {world}:"]
    for cameras, coverage, (low, high), stereo_coverage in rows:
        line = f"  {cameras:<{width}}  {coverage:.3f}  (95 % interval {low:.3f} to {high:.3f})"
        lines.append(line + (f"  stereo {stereo_coverage:.3f}" if stereo else ""))
    if not others:
        lines.append("  No figures of other cameras are known here.")
        greedy = _greedy_command(env)
        lines += [] if greedy is None else ["  Those of greedy ones:", f"  {greedy}"]
    return "\n".join(lines)


def _greedy_command(env: EnvConfig) -> str | None:
    """Return what evaluates greedy cameras in a world; None where flags cannot tell it."""
    said = {"scenario", "opponent", "shared_field_of_view", "message_loss"}
    if not same_world(env, EnvConfig.model_validate(env.model_dump(include=said))):
        return None
    words: list[object] = ["evaluate", "--camera-agent", "greedy", "--scenario", env.scenario]
    words += ["--target-agent", env.opponent]
    words += ["--shared-field-of-view"] if env.shared_field_of_view else []
    words += ["--message-loss", env.message_loss] if env.message_loss else []
    return _command(*words)


def _next_steps(folder: RunFolder, timestep: int) -> str:
    """Return commands that use what was made."""
    cameras, exported = folder.final, folder.exported(timestep)
    steps = {
        "watch": _command("render", "--checkpoint", cameras, "--output", folder.video_of_final),
        "": _command("replay", "--checkpoint", cameras, "--output", folder.page_of_final),
        "compare": _command("compare", cameras, "greedy", "--output", folder.comparison),
        "measure": _command("evaluate", "--checkpoint", cameras, "--episodes", 256),
        "hand on": _command("export", "--checkpoint", cameras, "--output", exported),
        "curves": _command("--logdir", folder.log_dir, of="tensorboard"),
    }
    lines = [f"  {name:<8} {command}" for name, command in steps.items()]
    return "\n".join(["Next:", *lines, '  Python   README.md, "A trained policy"'])
