"""ScriptedEnv: both teams follow rules inside the compiled step. For baselines and benchmarks."""

from collections.abc import Mapping

import numba
import numpy as np

from camsim.arrays import Floats, Ints, UInt64s
from camsim.bounds import FRAMES
from camsim.compiled.jit import batch_kernel, device_fn, row
from camsim.compiled.rng import streams_from_seeds
from camsim.envs.episode import clear_episode, count_frame
from camsim.envs.step_kernel import Actions, Teams, play_frame, start_teams
from camsim.kernels.step import observe_one
from camsim.kernels.stereo_coverage import stereo_coverage
from camsim.layout import MIN_BASELINE_DEG
from camsim.scenario.schema import Scenario
from camsim.scripted.cameras.dispatch import CameraMemory, allocate_camera_memory
from camsim.scripted.spec import CameraRules, TargetRules, camera_rules, target_rules
from camsim.scripted.targets.dispatch import TargetMemory, allocate_target_memory
from camsim.sim import BatchSim, checked_seeds
from camsim.state import ObsBuffers, SimParams, StartBoxes, Tables
from camsim.tables import EPISODE_COLUMNS, W_DONE


@batch_kernel
def _start_batch(
    params: SimParams,
    boxes: StartBoxes,
    s: Tables,
    camera_rules: CameraRules,
    target_rules: TargetRules,
    camera_memory: CameraMemory,
    target_memory: TargetMemory,
    order: Ints,
) -> None:
    """Start an episode in every environment, from its own random stream."""
    for i in numba.prange(len(s.rng)):
        teams = (camera_rules, target_rules, camera_memory, target_memory)
        start_teams(row(i), params, boxes, s, teams, order)


@device_fn
def _run_one(
    i: int,
    n_frames: int,
    params: SimParams,
    boxes: StartBoxes,
    s: Tables,
    teams: Teams,
    actions: Actions,
    order: Ints,
    out: ObsBuffers,
    mode: int,
    episode: Floats,
) -> None:
    """Run frames with auto-reset and observations, or one counted episode if n_frames < 0.

    One loop for both: what happens in a frame is compiled into it once.
    """
    whole, n = n_frames < 0, 0
    if whole:
        start_teams(i, params, boxes, s, teams, order)
        clear_episode(i, episode)
    while whole or n < n_frames:
        play_frame(i, params, s, teams, actions)
        n += 1
        done = s.world[i, W_DONE] > 0
        if whole:
            stereo = stereo_coverage(i, params, s)
            count_frame(i, s.world, stereo, params.sparse_reward, episode)
            if done:
                break
        else:
            if done:
                start_teams(i, params, boxes, s, teams, order)
            observe_one(i, params, s, out, mode, first=done)


@batch_kernel
def _run_batch(
    n_frames: int,
    params: SimParams,
    boxes: StartBoxes,
    s: Tables,
    camera_rules: CameraRules,
    target_rules: TargetRules,
    camera_memory: CameraMemory,
    target_memory: TargetMemory,
    camera_action: Floats,
    target_action: Floats,
    no_goal: Ints,
    order: Ints,
    out: ObsBuffers,
    mode: int,
    episode: Floats,
) -> None:
    """Advance every environment by `n_frames`, or play one whole episode if it is negative."""
    for i in numba.prange(len(s.rng)):
        teams = (camera_rules, target_rules, camera_memory, target_memory)
        actions = (camera_action, target_action, no_goal)
        _run_one(row(i), n_frames, params, boxes, s, teams, actions, order, out, mode, episode)


_WHOLE_EPISODE = -1


class ScriptedEnv:
    """N worlds in which both teams follow scripted rules."""

    def __init__(
        self,
        scenario: Scenario,
        num_envs: int,
        *,
        camera_policy: str | Mapping[str, float] | CameraRules = "random",
        target_policy: str | Mapping[str, float] | TargetRules = "greedy",
        max_episode_steps: int | None = None,
        min_baseline_deg: float = MIN_BASELINE_DEG,
    ) -> None:
        """Allocate the worlds.

        Args:
            scenario: sizes and rules.
            num_envs: N.
            camera_policy: name, mixture or full rules (camsim.scripted.spec).
            target_policy: the same for the targets.
            max_episode_steps: overrides the scenario's.
            min_baseline_deg: angle at the target from which on two views are stereo coverage.

        Raises:
            ValueError: a policy is unknown, or min_baseline_deg is not in [0, 180].
        """
        if not isinstance(camera_policy, CameraRules):
            camera_policy = camera_rules(camera_policy)
        if not isinstance(target_policy, TargetRules):
            target_policy = target_rules(target_policy)
        self.sim = BatchSim(
            scenario,
            num_envs,
            max_episode_steps=max_episode_steps,
            min_baseline_deg=min_baseline_deg,
        )
        n_cameras, n_targets = len(self.sim.boxes.cameras), len(self.sim.boxes.targets)
        self.teams: Teams = (
            camera_policy,
            target_policy,
            allocate_camera_memory(num_envs, n_cameras, n_targets, camera_policy, self.sim.params),
            allocate_target_memory(num_envs, n_targets, target_policy),
        )
        self.actions = (
            np.zeros((num_envs, n_cameras, 2)),
            np.zeros((num_envs, n_targets, 2)),
        )
        self.episode = np.zeros((num_envs, len(EPISODE_COLUMNS)))
        self._started = False

    def reset(self, seeds: UInt64s) -> None:
        """Start an episode in every environment from its own seed [N]."""
        sim = self.sim
        sim.tables.rng[:] = streams_from_seeds(checked_seeds(seeds, sim.num_envs))
        self._started = True
        _start_batch(sim.params, sim.boxes, sim.tables, *self.teams, sim.order)

    def run_frames(self, n_frames: int, out: ObsBuffers | None = None) -> None:
        """Advance all environments by `n_frames`, with auto-reset.

        `out` holds flat buffers to be written in every frame; None writes no observations.

        Raises:
            ValueError: no episode was started, or n_frames is negative or no integer.
        """
        FRAMES.check("n_frames", n_frames)
        if not self._started:
            raise ValueError("run_frames before the first episode; expected reset")
        self._run(n_frames, out)

    def run_episodes(self, seeds: UInt64s) -> Floats:
        """Play exactly one episode per seed; return statistics [M, len(EPISODE_COLUMNS)]."""
        seeds = np.asarray(seeds)
        seeds = checked_seeds(seeds, seeds.size)
        self._started = True
        n_envs = self.sim.num_envs
        rows = [self.episode[:0].copy()]
        for start in range(0, len(seeds), n_envs):
            part = seeds[start : start + n_envs]
            padded = np.resize(part, n_envs)  # a short last batch repeats seeds; those rows go
            self.sim.tables.rng[:] = streams_from_seeds(padded)
            self._run(_WHOLE_EPISODE, None)
            rows.append(self.episode[: len(part)].copy())
        return np.concatenate(rows)

    def _run(self, n_frames: int, out: ObsBuffers | None) -> None:
        sim = self.sim
        _run_batch(
            n_frames,
            sim.params,
            sim.boxes,
            sim.tables,
            *self.teams,
            *self.actions,
            sim.no_goal,
            sim.order,
            ObsBuffers(np.zeros(0), np.zeros(0), np.zeros(0)) if out is None else out,
            sim.mode,
            self.episode,
        )
