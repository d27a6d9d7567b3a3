"""What the gate of the adaptive mixer has learned: its complexity by how much a camera knows.

Trained cameras play. At every decision the mixer's estimate c(s) and its gate alpha(s) of the
global state stand beside the number of targets that a camera knows, the mean over the team.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from camcontrol.tracking.track import B_KNOWN
from camsim.arrays import Floats
from camsim.files import atomic_writer
from qplex_hrl.data.make_env import model_dims
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.trained import TrainedCameras, load_cameras
from qplex_hrl.model import QPLEXHRLModel, build_model
from qplex_hrl.networks.mixers import AdaptiveMixer
from qplex_hrl.runtime.devices import torch_threads
from qplex_hrl.runtime.exit_codes import DONE
from qplex_hrl.runtime.seeding import episode_seeds
from qplex_hrl.storage.checkpoint import CheckpointError, load_checkpoint

__all__ = ["GateSpec", "Gated", "by_known_targets", "measure_gate", "observe_gate"]

_ENVS = 64


class GateSpec(NamedTuple):
    """Whose gate to look at, and on what."""

    checkpoints: tuple[Path, ...]  # of trainings with the adaptive mixer
    episodes: int  # of each
    seed: int  # of the episodes
    output: Path | None  # picture


class Gated(NamedTuple):
    """M decisions of a team."""

    known: Floats  # [M] targets that a camera knows, mean over the team
    complexity: Floats  # [M] c(s)
    gate: Floats  # [M] alpha(s)

    @property
    def correlation(self) -> float:
        """Pearson's, of known targets and complexity; 0 where one of them never changes."""
        if self.known.std() == 0.0 or self.complexity.std() < 1e-9:
            return 0.0
        return float(np.corrcoef(self.known, self.complexity)[0, 1])


def observe_gate(cameras: TrainedCameras, model: QPLEXHRLModel, seeds: NDArray[np.uint64]) -> Gated:
    """Return the decisions of one episode in every environment.

    Args:
        cameras: play in N environments.
        model: of the same training, with the adaptive mixer.
        seeds: [N].
    """
    env, agent, mixer = cameras.env, cameras.agent, model.mixer
    assert isinstance(mixer, AdaptiveMixer)
    agent.reset_rows(np.ones(env.n_envs, np.bool_))
    output = env.reset(seeds)
    playing = np.ones(env.n_envs, np.bool_)
    rows: list[Floats] = []
    while playing.any():
        known = (env.agent_state.belief[..., B_KNOWN] > 0.0).sum(axis=-1).mean(axis=-1)
        with torch.no_grad():
            gate, complexity = mixer.gate(model.state_encoder(torch.from_numpy(output.state)))
        columns = (known, complexity[:, 0].numpy(), gate[:, 0].numpy())
        rows.append(np.stack(columns)[:, playing])
        output = env.step(agent.act(output.obs, output.avail_actions), agent.reaction)
        ended = output.terminated | output.truncated
        playing &= ~ended
        agent.reset_rows(ended)
    return Gated(*np.concatenate(rows, axis=1))


def by_known_targets(known: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return quartiles of values [3, K] for each number of known targets that occurs [K].

    Numbers are rounded to halves; those of fewer than 1 % of the decisions are left out.
    """
    halves = np.round(2.0 * known) / 2.0
    numbers, counts = np.unique(halves, return_counts=True)
    often = numbers[counts >= 0.01 * len(known)]
    quartiles = [np.percentile(values[halves == number], (25, 50, 75)) for number in often]
    return often, np.transpose(quartiles)


def measure_gate(spec: GateSpec) -> int:
    """Play, print a table, draw the picture if one is asked for, and return the exit code 0.

    Raises:
        CheckpointError: a file is missing, damaged, foreign, or holds cameras alone.
        ValueError: a training had another mixer, or a picture is wanted without matplotlib.
    """
    if spec.output is not None and find_spec("matplotlib") is None:
        raise ValueError("--output needs matplotlib: pip install 'qplex-hrl[viz]'")
    table = Table("checkpoint", "decisions", "complexity, 5 to 95 %", "gate, 5 to 95 %")
    table.add_column("correlation of complexity and known targets")
    measured = []
    for path, name in zip(spec.checkpoints, _short_names(spec.checkpoints), strict=True):
        cameras = load_cameras(
            path,
            EvaluationSetting(),
            num_envs=min(spec.episodes, _ENVS),
            device=torch.device("cpu"),
        )
        model = _whole_model(path, cameras)
        n_envs = cameras.env.n_envs
        seeds = episode_seeds(spec.seed, -(-spec.episodes // n_envs) * n_envs)
        with torch_threads(1):
            parts = [observe_gate(cameras, model, row) for row in seeds.reshape(-1, n_envs)]
        gated = Gated(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        measured.append((name, gated))
        table.add_row(
            name,
            f"{len(gated.known):,}",
            _range_of(gated.complexity),
            _range_of(gated.gate),
            f"{gated.correlation:+.2f}",
        )
    console = Console(width=150)
    console.print(table)
    if spec.output is not None:
        _draw(measured, spec.output)
        console.print(f"written to {spec.output}", highlight=False, markup=False, soft_wrap=True)
    return DONE


def _short_names(paths: tuple[Path, ...]) -> list[str]:
    """Return the paths without the folders that all of them have in common."""
    if len(paths) == 1:
        return [str(paths[0])]
    return [os.path.relpath(path, os.path.commonpath(paths)) for path in paths]


def _range_of(values: Floats) -> str:
    low, high = np.percentile(values, (5, 95))
    return f"{low:.3f} to {high:.3f}"


def _whole_model(path: Path, cameras: TrainedCameras) -> QPLEXHRLModel:
    """Return the model of a checkpoint, with its mixer."""
    network = cameras.config.network
    if network.mixing_network.type != "adaptive":
        raise ValueError(
            f"{path}: network.mixing_network.type = {network.mixing_network.type!r}; "
            "expected 'adaptive', which has a gate"
        )
    learner = load_checkpoint(path)["training"]["learner"]
    if "model" not in learner:
        raise CheckpointError(f"{path}: holds cameras alone; expected a checkpoint of a training")
    bits = torch.from_numpy(cameras.env.selection_bits.copy())
    model = build_model(model_dims(cameras.env), bits, network)
    model.load_state_dict(learner["model"])
    return model.eval().requires_grad_(False)


def _draw(measured: list[tuple[str, Gated]], file: Path) -> None:
    """Draw median and quartiles of the complexity by known targets, a colour per checkpoint."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for number, (name, gated) in enumerate(measured):
        known, (low, median, high) = by_known_targets(gated.known, gated.complexity)
        axes.plot(known, median, color=f"C{number}", marker="o", label=name)
        axes.fill_between(known, low, high, color=f"C{number}", alpha=0.2, linewidth=0)
    axes.set(xlabel="targets that a camera knows, mean over the team", ylabel="complexity c(s)")
    axes.set(ylim=(0, 1), title="Gate of the adaptive mixer: median and quartiles")
    axes.grid(alpha=0.3)
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(file) as picture:
        figure.savefig(picture, format="svg", metadata={"Date": None})
