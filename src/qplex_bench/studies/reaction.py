"""What reactions within a decision give: trained cameras with their fast level and without it.

Both play the same episodes, frame by frame. A reaction time begins where a target that a camera has
not selected comes into its view. It ends with the first frame in which the camera turns towards the
target, or has selected it. A target that leaves the view before counts as infinite.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from camcontrol.selection_env import SelectionEnv
from camsim.arrays import Bools, Floats, Ints
from qplex_hrl.agent import Agent
from qplex_hrl.evaluation.players import EvaluationSetting
from qplex_hrl.evaluation.trained import load_cameras
from qplex_hrl.runtime.devices import torch_threads
from qplex_hrl.runtime.exit_codes import DONE
from qplex_hrl.runtime.seeding import episode_seeds

__all__ = ["Played", "ReactionSpec", "ReactionTimes", "measure_reactions", "play", "turns_towards"]

MOVES_DEG = 0.1
"""Least turn of a frame that counts as a motion, degrees; a camera turns up to 5."""

SOON = 3
"""Frames within which a selection is prompt."""

_ENVS = 64


class ReactionSpec(NamedTuple):
    """Whose reactions to measure, and where."""

    checkpoint: Path
    opponents: tuple[str, ...]  # rules of the targets
    episodes: int  # against each
    seed: int  # of the episodes
    max_episode_steps: int | None  # None: as trained


class Played(NamedTuple):
    """What cameras did in M episodes."""

    coverage: Floats  # [M] mean over the frames
    replaced: float  # share of cameras' frames in which another action was in force than decided
    turned: Floats  # [.] frames until a camera turned to a target that had appeared
    selected: Floats  # [.] frames until it had selected the target

    @property
    def median_turn(self) -> float:
        """Median of `turned`; NaN if no target appeared."""
        return float(np.median(self.turned)) if len(self.turned) else np.nan

    @property
    def selected_soon(self) -> float:
        """Share of the targets that were selected within `SOON` frames."""
        return float((self.selected <= SOON).mean()) if len(self.selected) else np.nan


class ReactionTimes:
    """Follows targets that appear in the views of N environments until cameras react to them."""

    def __init__(self, seen: Bools) -> None:
        """Begin with who sees whom [N, C, T]."""
        self._seen = seen.copy()
        self._waiting = np.full(seen.shape, -1, np.int64)  # frames since it appeared, or -1
        self.finished: list[NDArray[np.float64]] = []

    def count(self, seen: Bools, selected: Bools, reacts: Bools, playing: Bools) -> None:
        """Take in a frame.

        Args:
            seen: [N, C, T] who sees whom after it.
            selected: [N, C, T] targets that cameras had selected in it.
            reacts: [N, C, T] whether a camera has reacted in it.
            playing: [N] environments that count.
        """
        appears = seen & ~self._seen & ~selected & playing[:, None, None]
        waits = self._waiting >= 0
        self._waiting[waits] += 1
        reacts = waits & reacts
        lost = waits & ~reacts & ~seen
        self.finished += [self._waiting[reacts].astype(float), np.full(lost.sum(), np.inf)]
        self._waiting[reacts | lost | ~playing[:, None, None]] = -1
        self._waiting[appears] = 0
        self._seen = seen.copy()

    def all_finished(self) -> Floats:
        """Return the reaction times so far [.], in frames."""
        return np.concatenate([np.zeros(0), *self.finished])


def play(env: SelectionEnv, agent: Agent, seeds: NDArray[np.uint64], *, reacts: bool) -> Played:
    """Return what cameras do in as many episodes as there are environments.

    Args:
        env: whose cameras play.
        agent: decides for them.
        seeds: [N], one per environment.
        reacts: with the fast level, or holding every action for the whole decision.
    """
    agent.reset_rows(np.ones(env.n_envs, np.bool_))
    output = env.reset(seeds)
    cameras, world = env.sim.view.cameras, env.sim.view.world
    playing = np.ones(env.n_envs, np.bool_)
    covered, frames, n_replaced = (np.zeros(env.n_envs) for _ in range(3))
    turned, chosen = (ReactionTimes(env.sim.tables.camera_target > 0) for _ in range(2))
    reaction = agent.reaction if reacts else None
    while playing.any():
        decided = agent.act(output.obs, output.avail_actions)
        actions: Ints = decided
        for frame in range(env.options.decision_frames):
            if reaction is not None and frame and frame % env.options.fast_interval == 0:
                actions = reaction(*env.glance(), frame)
            phi_deg, offset_deg = cameras.phi_deg.copy(), _offsets_deg(env)
            env.run_frames(actions, 1)
            covered += np.where(playing, world.coverage_rate, 0.0)
            frames += playing
            n_replaced += np.where(playing, (actions != decided).mean(axis=1), 0.0)
            seen = env.sim.tables.camera_target > 0
            selected = env.selection_bits[actions]
            turns = turns_towards(_wrapped_deg(cameras.phi_deg - phi_deg), offset_deg)
            turned.count(seen, selected, turns, playing)
            chosen.count(seen, selected, selected, playing)
            playing &= world.done == 0.0
        output = env.observe()
        agent.reset_rows(output.terminated | output.truncated)
    replaced = float(n_replaced.sum() / frames.sum())
    return Played(covered / frames, replaced, turned.all_finished(), chosen.all_finished())


def turns_towards(turn_deg: Floats, offset_deg: Floats) -> Bools:
    """Return which cameras turn towards which targets [N, C, T].

    Args:
        turn_deg: [N, C] of the cameras in a frame.
        offset_deg: [N, C, T] from the middle of their views to the targets before it.
    """
    return turn_deg[:, :, None] * np.sign(offset_deg) >= MOVES_DEG


def measure_reactions(spec: ReactionSpec, device: torch.device) -> int:
    """Play, print a table and return the exit code 0.

    Raises:
        CheckpointError: the file is missing, damaged or foreign.
        ValueError: its cameras have no fast level, or a rule of the targets does not exist.
    """
    table = Table("targets", "coverage held", "with reactions", "difference")
    turn, choice = "median frames to a turn", f"selected within {SOON} frames"
    for heading in ("replaced", turn, choice, "targets that appeared"):
        table.add_column(heading)
    for opponent in spec.opponents:
        setting = EvaluationSetting(opponent=opponent, max_episode_steps=spec.max_episode_steps)
        n_envs = min(spec.episodes, _ENVS)
        cameras = load_cameras(spec.checkpoint, setting, num_envs=n_envs, device=device)
        if cameras.agent.reaction is None:
            hrl = cameras.config.network.hrl
            msg = (
                f"{spec.checkpoint}: its cameras do not react: frame_skip = {hrl.frame_skip}, "
                f"fast_interval = {hrl.fast_interval}; expected a smaller fast_interval"
            )
            raise ValueError(msg)
        seeds = episode_seeds(spec.seed, spec.episodes)
        with torch_threads(1):
            held = _play_all(cameras.env, cameras.agent, seeds, reacts=False)
            reacting = _play_all(cameras.env, cameras.agent, seeds, reacts=True)
        difference = reacting.coverage - held.coverage
        half = 1.96 * difference.std(ddof=1) / len(difference) ** 0.5
        table.add_row(
            opponent,
            f"{held.coverage.mean():.4f}",
            f"{reacting.coverage.mean():.4f}",
            f"{difference.mean():+.4f} ± {half:.4f}",
            f"{reacting.replaced:.1%}",
            f"{held.median_turn:g}, {reacting.median_turn:g}",
            f"{held.selected_soon:.1%}, {reacting.selected_soon:.1%}",
            f"{len(held.turned):,}, {len(reacting.turned):,}",
        )
    console = Console(width=150)
    console.print(f"{spec.checkpoint}, {spec.episodes} episodes each", highlight=False)
    console.print(table)
    console.print("Two values: actions held, then with reactions.", highlight=False)
    return DONE


def _play_all(
    env: SelectionEnv, agent: Agent, seeds: NDArray[np.uint64], *, reacts: bool
) -> Played:
    """Return what cameras do in M episodes, with `seeds` [M], a batch of environments at a time."""
    filled = np.resize(seeds, (-(-len(seeds) // env.n_envs), env.n_envs))
    parts = [play(env, agent, row, reacts=reacts) for row in filled]
    coverage, replaced, turned, chosen = zip(*parts, strict=True)
    covered = np.concatenate(coverage)[: len(seeds)]
    replaced_share = float(np.mean(replaced))
    return Played(covered, replaced_share, np.concatenate(turned), np.concatenate(chosen))


def _offsets_deg(env: SelectionEnv) -> Floats:
    """Return the angles [N, C, T] from the middle of every camera's view to every target."""
    cameras, targets = env.sim.view.cameras, env.sim.view.targets
    relative = targets.xy[:, None] - cameras.xy[:, :, None]  # [N, C, T, 2]
    bearing_deg = np.degrees(np.arctan2(relative[..., 1], relative[..., 0]))
    return _wrapped_deg(bearing_deg - cameras.phi_deg[:, :, None])


def _wrapped_deg(angle_deg: Floats) -> Floats:
    wrapped: Floats = (angle_deg + 180.0) % 360.0 - 180.0
    return wrapped
