"""One team of a `TeamEnv` as Gymnasium and PettingZoo see it: spaces, and its part of arrays."""

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from camsim.arrays import Bools, Floats, Ints
from camsim.envs.team_env import TeamEnv, TeamOutput
from camsim.scenario.schema import Scenario

__all__ = ["AgentGroup", "box", "state_space"]

ActionSpace = spaces.Box | spaces.Discrete  # type: ignore[type-arg, unused-ignore]
JointActionSpace = spaces.Box | spaces.MultiDiscrete
_CAPACITY = 2.0  # the most that a target carries


class AgentGroup:
    """One team that the caller drives."""

    def __init__(self, env: TeamEnv, name: str) -> None:
        """Work out sizes and bounds; name: camera or target."""
        cameras = name == "camera"
        self.name = name
        self.argument = f"{name}_action"  # of TeamEnv.step
        self.agents = [f"{name}_{k}" for k in range(env.sizes[0 if cameras else 1])]
        self.count = env.n_cameras if cameras else env.n_targets
        options = env.options
        self.levels = options.camera_action_levels if cameras else options.target_action_levels
        self.dtype = np.dtype(options.dtype)
        bounds = env.camera_obs_bounds if cameras else env.target_obs_bounds
        self.low, self.high = _actual_bounds(*bounds, env.scenario)
        self.limits = np.array(env.camera_action_bounds if cameras else env.target_action_bounds)

    def observation_space(self) -> spaces.Box:
        """Return a new space of one member's observation [D]."""
        return box(self.low, self.high, self.dtype)

    def joint_observation_space(self) -> spaces.Box:
        """Return a new space of all members' observations [A, D]."""
        shape = (self.count, 1)
        return box(np.tile(self.low, shape), np.tile(self.high, shape), self.dtype)

    def action_space(self) -> ActionSpace:
        """Return a new space of one member's action: numbers [2], or one of levels**2 actions."""
        if self.levels is not None:
            return spaces.Discrete(self.levels**2)
        return box(-self.limits, self.limits, np.dtype(np.float64))

    def joint_action_space(self) -> JointActionSpace:
        """Return a new space of all members' actions: numbers [A, 2] or integers [A]."""
        if self.levels is not None:
            return spaces.MultiDiscrete([self.levels**2] * self.count)
        high = np.tile(self.limits, (self.count, 1))
        return box(-high, high, np.dtype(np.float64))

    def idle_actions(self) -> Floats | Ints:
        """Return actions [1, A, 2] or [1, A] with which nothing moves."""
        if self.levels is not None:
            return np.full((1, self.count), (self.levels**2 - 1) // 2, np.int64)
        return np.zeros((1, self.count, 2))

    def checked_action(self, agent: str, action: ArrayLike) -> Floats | Ints:
        """Return one member's action as an array: numbers [2], or one integer [].

        Raises:
            ValueError: another shape, or no integer where integers are expected.
        """
        array = np.asarray(action)
        shape = () if self.levels is not None else (2,)
        kinds = "iu" if self.levels is not None else "iuf"
        if array.shape != shape or array.dtype.kind not in kinds:
            wanted = "an integer" if self.levels is not None else "2 numbers"
            raise ValueError(
                f"action of {agent} is {array.dtype} of shape {array.shape}; expected {wanted}"
            )
        return array

    def obs(self, out: TeamOutput) -> NDArray[np.floating]:
        """Return the team's observations [N, A, D]."""
        return out.camera_obs if self.name == "camera" else out.target_obs

    def reward(self, out: TeamOutput) -> Floats:
        """Return the members' rewards [N, A]."""
        return out.camera_reward if self.name == "camera" else out.target_reward

    def done(self, out: TeamOutput) -> Bools:
        """Return whose own part is over [N, A]."""
        return out.camera_done if self.name == "camera" else out.target_done


def box(low: Floats, high: Floats, dtype: np.dtype) -> spaces.Box:
    """Return the space between two arrays of one shape."""
    # The cast comes first: Gymnasium warns when it has to round bounds itself.
    return spaces.Box(low.astype(dtype), high.astype(dtype), dtype=dtype.type)


def state_space(env: TeamEnv) -> spaces.Box:
    """Return a new space of the global state [S]; what waits has no largest number there."""
    bounds = _widened(*env.state_bounds, env.scenario)
    return box(*bounds, np.dtype(env.options.dtype))


def _actual_bounds(low: Floats, high: Floats, scenario: Scenario) -> tuple[Floats, Floats]:
    """Return finite bounds that every observation of the scenario keeps.

    MATE declares no upper bound for counts and goal weights; the scenario gives them.
    """
    low, high = _widened(low, high, scenario)
    sizes = scenario.n_cameras, scenario.n_targets, scenario.n_obstacles
    high[:4] = [max(1, size) for size in (*sizes, max(sizes[:2]))]
    high[np.isinf(high)] = _CAPACITY
    return low, high


def _widened(low: Floats, high: Floats, scenario: Scenario) -> tuple[Floats, Floats]:
    """Return copies of bounds with room for the scenario's lengths and angles.

    MATE declares fixed bounds for them; where the scenario has larger ones, all bounded entries
    get as much more room.
    """
    low, high = low.copy(), high.copy()
    bounded = np.isfinite(high)
    room = (high[bounded] - low[bounded]) * _excess(scenario)
    low[bounded] -= room
    high[bounded] += room
    return low, high


def _excess(scenario: Scenario) -> float:
    """Return by which share of its range the scenario exceeds a bound of world 7.6, at least 0."""
    target, camera, obstacle = scenario.target, scenario.camera, scenario.obstacle
    shares = [1.0, target.sight_range / 2000.0, target.step_size / 2000.0]
    if camera is not None:
        shares += [camera.max_sight_range / 2000.0, camera.radius / 1000.0]
        shares += [camera.rotation_step / 180.0, camera.zooming_step / 180.0]
    if obstacle is not None:
        shares.append(obstacle.radius_bounds[1] / 1000.0)
    return max(shares) - 1.0
