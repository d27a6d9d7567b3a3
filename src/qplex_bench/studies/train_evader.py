"""Trains targets to evade: the cross-entropy method on the few weights of their rule."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from camsim.envs.scripted_env import ScriptedEnv
from camsim.scenario.schema import load_scenario
from camsim.scripted.evader_weights import learned_evasion
from camsim.scripted.targets.evader import EVASION_WEIGHTS
from qplex_hrl.evaluation.metrics import episode_metrics
from qplex_hrl.evaluation.players import (
    DEFAULT_SCENARIO,
    AgentPlayer,
    EpisodePlayer,
    EvaluationSetting,
)
from qplex_hrl.evaluation.trained import load_cameras
from qplex_hrl.runtime.exit_codes import DONE, FAILED
from qplex_hrl.runtime.seeding import episode_seeds

EVADER = "evader"
TEST_SEED = 2_000_003
"""Seed of the episodes on which the result is measured; training uses those of other seeds."""

_ENVS = 32
_ELITE = 0.2  # share of the candidates that the next generation is drawn around
_FIRST_SPREAD, _LEAST_SPREAD = 0.7, 0.05  # standard deviations of a generation
_KEEP = 0.3  # share of the last mean and spread in the next

Weights = NDArray[np.float64]
Score = Callable[[Weights, NDArray[np.uint64]], float]


class Training(NamedTuple):
    """Amounts, and whom the targets evade."""

    checkpoints: tuple[Path, ...]  # trained cameras, beside greedy ones
    generations: int
    population: int
    episodes: int  # of each candidate, against each kind of cameras
    max_episode_steps: int
    seed: int


class Cameras(NamedTuple):
    """Cameras whose targets play with weights that can be written."""

    name: str
    weights: Weights  # [EVASION_WEIGHTS], read by the targets in every frame
    player: EpisodePlayer

    def measure(self, weights: Weights, seeds: NDArray[np.uint64]) -> tuple[float, float]:
        """Return mean coverage and transport rate against targets with these weights."""
        self.weights[:] = weights
        metrics = episode_metrics(self.player.run_episodes(seeds))
        return float(metrics["coverage_rate"].mean()), float(metrics["transport_rate"].mean())


def train_evader(training: Training, device: torch.device) -> int:
    """Train weights, print them and what they do; return 1 if nothing was gained, else 0.

    Raises:
        CheckpointError: a checkpoint is missing, damaged or foreign.
    """
    opponents = load_opponents(training, device)
    console = Console()

    def score(weights: Weights, seeds: NDArray[np.uint64]) -> float:
        results = [cameras.measure(weights, seeds) for cameras in opponents]
        return float(np.mean([transport - coverage for coverage, transport in results]))

    weights = cross_entropy(score, training, console)
    for name, row in zip(("sideways", "away", "hold"), weights.reshape(3, -1), strict=True):
        numbers = ", ".join(f"{value:.3f}" for value in row)
        console.print(f"_{name.upper()} = ({numbers})", highlight=False)
    return _report(opponents, weights.round(3), training.episodes, console)


def load_opponents(training: Training, device: torch.device) -> list[Cameras]:
    """Return the cameras that targets are trained against, in MATE-4v4-9."""
    n_envs, limit = min(_ENVS, training.episodes), training.max_episode_steps
    scripted = ScriptedEnv(
        load_scenario(DEFAULT_SCENARIO),
        n_envs,
        camera_policy="greedy",
        target_policy=EVADER,
        max_episode_steps=limit,
    )
    opponents = [Cameras("greedy", scripted.teams[1].evasion, scripted)]
    setting = EvaluationSetting(scenario=DEFAULT_SCENARIO, opponent=EVADER, max_episode_steps=limit)
    for path in training.checkpoints:
        cameras = load_cameras(path, setting, num_envs=n_envs, device=device)
        player = AgentPlayer(cameras.env, cameras.agent)
        opponents.append(Cameras(path.stem, cameras.env.opponent.evasion, player))
    return opponents


def cross_entropy(score: Score, training: Training, console: Console) -> Weights:
    """Return the mean [EVASION_WEIGHTS] of the last generation; it begins at zeros, greedy targets.

    Every candidate of a generation plays the same episodes, and every generation other ones.
    """
    rng = np.random.default_rng(training.seed)
    mean = np.zeros(EVASION_WEIGHTS)
    spread = np.full(EVASION_WEIGHTS, _FIRST_SPREAD)
    n_elite = max(2, round(_ELITE * training.population))
    for generation in range(training.generations):
        seeds = episode_seeds(int(rng.integers(2**31)), training.episodes)
        noise = rng.standard_normal((training.population, EVASION_WEIGHTS))
        candidates = mean + spread * noise
        candidates[0] = mean
        scores = np.array([score(candidate, seeds) for candidate in candidates])
        elite = candidates[np.argsort(-scores)[:n_elite]]
        mean = _KEEP * mean + (1 - _KEEP) * elite.mean(axis=0)
        spread = _KEEP * spread + (1 - _KEEP) * np.maximum(elite.std(axis=0), _LEAST_SPREAD)
        console.print(
            f"generation {generation + 1}: mean weights {scores[0]:+.4f}, best {scores.max():+.4f}",
            highlight=False,
        )
    return mean


def _report(opponents: Sequence[Cameras], weights: Weights, episodes: int, console: Console) -> int:
    """Print coverage and transport before and after; return the exit code."""
    seeds = episode_seeds(TEST_SEED, max(64, episodes))
    gains = []
    for cameras in opponents:
        lines = []
        for name, tried in (
            ("greedy", np.zeros(EVASION_WEIGHTS)),
            ("shipped evader", learned_evasion()),
            ("trained evader", weights),
        ):
            coverage, transport = cameras.measure(tried, seeds)
            lines.append((coverage, transport))
            console.print(
                f"{cameras.name} cameras, {name} targets: coverage {coverage:.3f}, "
                f"transport {transport:.3f}",
                highlight=False,
            )
        gains.append(lines[2][1] - lines[2][0] - lines[0][1] + lines[0][0])
    return DONE if min(gains) > 0 else FAILED
