"""BatchSim: N independent worlds of one scenario, stepped together by compiled kernels."""

from typing import NamedTuple

import numpy as np

from camsim import bounds
from camsim.arrays import Bools, Floats, Ints, UInt64s
from camsim.compiled.rng import streams_from_seeds
from camsim.kernels import step as kernels
from camsim.layout import MIN_BASELINE_DEG, OBSERVATION_MODES
from camsim.scenario.schema import Scenario
from camsim.state import (
    ObsBuffers,
    SimParams,
    SimView,
    StartBoxes,
    allocate_obs,
    allocate_tables,
    view_tables,
)
from camsim.stored_state import check_stored


class FrameResult(NamedTuple):
    """What a frame returned, one row per environment; views of reused buffers."""

    camera_reward: Floats  # [N] minus the target team's
    target_reward: Floats  # [N] dense or sparse, as the scenario says
    done: Bools  # [N]


class BatchSim:
    """N worlds of one scenario. Row i depends on seed i and on actions in row i alone."""

    def __init__(
        self,
        scenario: Scenario,
        num_envs: int,
        *,
        observation_mode: str = "own",
        max_episode_steps: int | None = None,
        target_obs: bool = False,
        message_loss: float = 0.0,
        min_baseline_deg: float = MIN_BASELINE_DEG,
    ) -> None:
        """Allocate the worlds; call `reset` before the first step.

        Args:
            scenario: sizes and rules.
            num_envs: N.
            observation_mode: what cameras observe: own, shared or enhanced.
            max_episode_steps: overrides the scenario's.
            target_obs: also write the targets' observations.
            message_loss: chance, per frame and ordered pair of cameras, that a shared observation
                holds nothing of the teammate's view; at 0 nothing is drawn for it.
            min_baseline_deg: angle at the target from which on two views are stereo coverage.

        Raises:
            ValueError: an argument is of another kind or out of range (camsim.bounds), or messages
                are lost where there are none.
        """
        bounds.NUM_ENVS.check("num_envs", num_envs)
        bounds.check_choices((("observation_mode", observation_mode, OBSERVATION_MODES),))
        if max_episode_steps is not None:
            bounds.MAX_EPISODE_STEPS.check("max_episode_steps", max_episode_steps)
        bounds.MESSAGE_LOSS.check("message_loss", message_loss)
        bounds.MIN_BASELINE_DEG.check("min_baseline_deg", min_baseline_deg)
        bounds.check_flags((("target_obs", target_obs),))
        if message_loss > 0.0 and observation_mode != "shared":
            raise ValueError(
                f"message_loss = {message_loss} with observation_mode = {observation_mode!r}; "
                "expected 0, for only shared observations need messages"
            )
        self.num_envs = num_envs
        self.params = SimParams.from_scenario(
            scenario, max_episode_steps, message_loss, min_baseline_deg
        )
        self.boxes = StartBoxes.from_scenario(scenario)
        self.mode = OBSERVATION_MODES[observation_mode]
        self.tables = allocate_tables(num_envs, self.boxes)
        self.view: SimView = view_tables(self.tables)
        self.obs = allocate_obs(num_envs, self.boxes, targets=target_obs)
        self.flat_obs = ObsBuffers(*(buffer.reshape(-1) for buffer in self.obs))
        widest = max(*(len(box) for box in self.boxes), 4)
        self.order: Ints = np.zeros((num_envs, widest), np.int64)
        self.no_goal: Ints = np.zeros((0, len(self.boxes.targets)), np.int64)

    def reset(self, seeds: UInt64s) -> ObsBuffers:
        """Start an episode in every environment from its own seed; return the observations.

        Raises:
            ValueError: `seeds` is not one unsigned integer per environment.
        """
        self.seed(seeds)
        self.restart(np.ones(self.num_envs, np.bool_))
        return self.obs

    def seed(self, seeds: UInt64s, which: Bools | None = None) -> None:
        """Give marked environments [N], or all, the random streams of their seeds [N].

        Raises:
            ValueError: `seeds` is not one unsigned integer per environment.
        """
        rows = np.ones(self.num_envs, np.bool_) if which is None else which
        self.tables.rng[rows] = streams_from_seeds(checked_seeds(seeds, self.num_envs))[rows]

    def step(self, camera_action: Floats, target_action: Floats) -> FrameResult:
        """Advance every world by one frame; observations are in `obs` afterwards.

        Args:
            camera_action: [N, C, 2] turn and zoom in degrees.
            target_action: [N, T, 2] displacement in terrain units.

        Raises:
            ValueError: a shape is wrong, or an entry is no real number or not finite.
        """
        kernels.step_batch(
            self.params,
            self.tables,
            self.flat_obs,
            self.mode,
            self._checked(camera_action, "camera_action", len(self.boxes.cameras)),
            self._checked(target_action, "target_action", len(self.boxes.targets)),
            self.no_goal,
        )
        return self.result()

    def restart(self, which: Bools) -> None:
        """Start a new episode in the marked environments [N], from their own random streams."""
        kernels.reset_batch(
            self.params, self.boxes, self.tables, self.flat_obs, self.mode, which, self.order
        )

    def result(self) -> FrameResult:
        """Return rewards and ends of the last frame."""
        world = self.view.world
        reward = world.reward_delayed if self.params.sparse_reward else world.reward_dense
        return FrameResult(-reward, reward.copy(), world.done > 0)

    # The phases of a frame one by one: for replays that put recorded masks and goals in between.

    def refresh(self) -> None:
        """Recompute derived fields after the state was written from outside."""
        kernels.refresh_batch(self.params, self.tables)

    def move(self, camera_action: Floats, target_action: Floats) -> None:
        """Phase 1: motion."""
        kernels.move_batch(self.params, self.tables, camera_action, target_action)

    def see(self) -> None:
        """Phase 2: all view masks."""
        kernels.see_batch(self.params, self.tables)

    def settle(self, forced_goal: Ints | None = None) -> FrameResult:
        """Phase 3: cargo, rewards, rates, clock; `forced_goal` [N, T] replaces draws where >= 0."""
        goal = self.no_goal if forced_goal is None else forced_goal
        kernels.settle_batch(self.params, self.tables, goal)
        return self.result()

    def observe(self) -> ObsBuffers:
        """Phase 4: observations and global state from the masks as they stand.

        Lost messages, if any, are drawn anew.
        """
        kernels.write_batch(self.params, self.tables, self.flat_obs, self.mode)
        return self.obs

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all arrays that an exact continuation needs, by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: an array is missing or has another shape.
        """
        load_arrays(self._arrays(), state)

    def _arrays(self) -> dict[str, np.ndarray]:
        return self.tables._asdict() | self.obs._asdict()

    def _checked(self, action: Floats, name: str, n_entities: int) -> Floats:
        action = np.asarray(action)
        expected = (self.num_envs, n_entities, 2)
        if action.shape != expected:
            raise ValueError(f"{name} has shape {action.shape}; expected {expected}")
        if action.dtype.kind not in "iuf":
            raise ValueError(f"{name} is {action.dtype}; expected real numbers")
        action = np.ascontiguousarray(action, np.float64)
        if not bool(np.isfinite(action).all()):
            where = [int(k) for k in np.argwhere(~np.isfinite(action))[0]]
            raise ValueError(f"{name}{where} = {action[tuple(where)]}; expected a finite number")
        return action


def checked_seeds(seeds: UInt64s, n: int) -> UInt64s:
    """Return `seeds` as [n] uint64.

    Raises:
        ValueError: there are not n of them, or one is negative or no integer.
    """
    seeds = np.asarray(seeds)
    if seeds.shape != (n,) or seeds.dtype.kind not in "iu":
        raise ValueError(f"seeds are {seeds.dtype} of shape {seeds.shape}; expected {n} integers")
    if seeds.dtype.kind == "i" and bool((seeds < 0).any()):
        raise ValueError(f"seeds hold {seeds.min()}; expected none below 0")
    return seeds.astype(np.uint64)


def load_arrays(mine: dict[str, np.ndarray], stored: dict[str, np.ndarray]) -> None:
    """Copy stored arrays into ours by name, after all of them were checked.

    Raises:
        ValueError: an array is missing, has another shape or type, or numbers that cannot be.
    """
    check_stored(mine, stored)
    for name, array in mine.items():
        array[...] = stored[name]
