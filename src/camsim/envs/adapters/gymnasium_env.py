"""Gymnasium's view of the world: one team is one agent; alone, or N worlds in one compiled call."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import logger
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from camsim.arrays import Bools, Floats
from camsim.bounds import shortened
from camsim.envs.adapters.agent_group import AgentGroup
from camsim.envs.adapters.construction import ScenarioLike, resolve_settings, start_episodes
from camsim.envs.adapters.infos import group_information
from camsim.envs.adapters.renderer import RENDER_FPS, RENDER_MODES, Screen, picture
from camsim.envs.team_env import TeamEnv, TeamOptions

__all__ = ["MateEnv", "MateVectorEnv"]

Obs = NDArray[Any]  # float64 or float32, as the options say
Infos = dict[str, Any]  # values: numbers and arrays
_LARGEST_SEED = 2**63


class MateEnv(gymnasium.Env[Obs, NDArray[Any]]):
    """One world whose cameras, or targets, are one agent.

    Observations are [A, D], one row per member; actions [A, 2] (cameras: turn and zoom in degrees;
    targets: displacement), or integers [A] if the options set action levels. The reward is the mean
    of the members' rewards: the team's reward unless the options say otherwise.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": RENDER_FPS}  # noqa: RUF012

    def __init__(
        self,
        scenario: ScenarioLike = "MATE-4v4-9",
        team: str | None = None,
        options: TeamOptions | None = None,
        *,
        render_mode: str | None = None,
        more_information: bool = False,
        **keywords: Any,  # checked by resolve_settings
    ) -> None:
        """Build the world; call `reset` before the first step.

        Args:
            scenario: a scenario, a preset's name or a file's path.
            team: camera or target; None: the cameras, or the targets where there are none.
            options: see `TeamOptions`; which team is driven follows from `team`.
            render_mode: None, rgb_array or human.
            more_information: fill infos with the true state as well (world 9.3).
            keywords: fields of `TeamOptions` and keys of the scenario to change. With
                `max_episode_steps=k` step number k truncates the episode.

        Raises:
            ValueError: a setting is unknown or not allowed.
        """
        self.team_env, self._group = _one_team(1, scenario, team, options, keywords, restart=False)
        self.observation_space = self._group.joint_observation_space()
        self.action_space = self._group.joint_action_space()
        self.more_information = more_information
        self.render_mode = render_mode
        self._screen = Screen(render_mode, self.team_env.scenario.name or "MATE")
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Obs, Infos]:
        """Start an episode; return observations [A, D] and infos.

        Args:
            seed: fixes this episode and those that follow without a seed. Without any seed the
                first episode is random.
            options: accepted for Gymnasium's sake, without effect.

        Raises:
            ValueError: the seed has more than 64 bits.
        """
        super().reset(seed=seed)
        if seed is None and not self._started:
            seed = int(self.np_random.integers(_LARGEST_SEED))
        out = start_episodes(self.team_env, [seed])
        self._started = True
        self._screen.start(self.team_env)
        return self._group.obs(out)[0].copy(), self._info()

    def step(self, action: ArrayLike) -> tuple[Obs, float, bool, bool, Infos]:
        """Advance the world by one frame.

        Raises:
            ValueError: the action has a wrong shape, is not finite or out of range, or `reset` was
                never called.
        """
        if not self._started:
            raise ValueError("step before the first reset")
        out = self.team_env.step(**{self._group.argument: np.asarray(action)[None]})
        self._screen.follow(self.team_env)
        return (
            self._group.obs(out)[0].copy(),
            float(self._group.reward(out)[0].mean()),
            bool(out.terminated[0]),
            bool(out.truncated[0]),
            self._info(),
        )

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override, unused-ignore]
        """Return a picture [H, W, 3] in mode rgb_array; show it in mode human."""
        return self._screen.render()

    def close(self) -> None:
        """Close the window if there is one."""
        self._screen.close()

    def _info(self) -> Infos:
        shared, own = group_information(self.team_env, self._group.name, self.more_information)
        found = {key: value[0] for key, value in (shared | own).items()}
        return {k: v if isinstance(v, np.ndarray) else v.item() for k, v in found.items()}


class MateVectorEnv(VectorEnv[Obs, NDArray[Any], NDArray[Any]]):
    """N worlds of `MateEnv` in one compiled call.

    Row i with seed s plays the same episodes as a `MateEnv` with seed s. The step after the end of
    a row's episode starts its next one: the row's action is ignored and its reward is 0.
    """

    metadata = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        scenario: ScenarioLike = "MATE-4v4-9",
        team: str | None = None,
        options: TeamOptions | None = None,
        *,
        num_envs: int = 1,
        render_mode: str | None = None,
        more_information: bool = False,
        **keywords: Any,  # checked by resolve_settings
    ) -> None:
        """Build the worlds; call `reset` before the first step.

        Args:
            scenario: as in `MateEnv`.
            team: as in `MateEnv`.
            options: as in `MateEnv`.
            num_envs: N.
            render_mode: None or rgb_array.
            more_information: as in `MateEnv`.
            keywords: as in `MateEnv`.

        Raises:
            ValueError: a setting is unknown or not allowed.
        """
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode = {shortened(render_mode)}; expected None or rgb_array")
        self.num_envs = num_envs
        self.team_env, self._group = _one_team(
            num_envs, scenario, team, options, keywords, restart=True
        )
        self.single_observation_space = self._group.joint_observation_space()
        self.single_action_space = self._group.joint_action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.more_information = more_information
        self.render_mode = render_mode
        self._started = False

    def reset(  # as Gymnasium's own vector classes: one seed per world
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Obs, Infos]:
        """Start episodes; return observations [N, A, D] and infos.

        Args:
            seed: an integer s gives row i the seed s + i; a list gives one seed to each row, or
                None to a row that goes on with its own random stream.
            options: `reset_mask` [N] bool restricts the reset to the rows it marks.

        Raises:
            ValueError: seeds or mask are not allowed.
        """
        first = int(seed) if isinstance(seed, int | np.integer) else None
        super().reset(seed=first)
        which = self._which((options or {}).get("reset_mask"))
        out = start_episodes(self.team_env, self._seeds(seed), which)
        self._started = True
        return self._group.obs(out).copy(), self._infos(which)

    def step(self, actions: ArrayLike) -> tuple[Obs, Floats, Bools, Bools, Infos]:
        """Advance every world by one frame, or start its next episode.

        Raises:
            ValueError: the actions have a wrong shape, are not finite or out of range, or `reset`
                was never called.
        """
        if not self._started:
            raise ValueError("step before the first reset")
        out = self.team_env.step(**{self._group.argument: np.asarray(actions)})
        return (
            self._group.obs(out).copy(),
            self._group.reward(out).mean(axis=1),
            out.terminated.copy(),
            out.truncated.copy(),
            self._infos(np.ones(self.num_envs, np.bool_)),
        )

    # Gymnasium 1.2 names its type of a picture by a variable that nothing binds.
    def render(  # type: ignore[override, unused-ignore]
        self,
    ) -> tuple[NDArray[np.uint8], ...] | None:
        """Return a picture [H, W, 3] of each world in mode rgb_array."""
        if self.render_mode is None:
            logger.warn("render() without a render_mode; choose one when making the environment")
            return None
        title = self.team_env.scenario.name or "MATE"
        return tuple(picture(self.team_env, row, title) for row in range(self.num_envs))

    def _which(self, mask: ArrayLike | None) -> Bools:
        """Return the rows to reset [N]."""
        which = np.ones(self.num_envs, np.bool_) if mask is None else np.asarray(mask)
        if which.shape != (self.num_envs,) or which.dtype != np.bool_:
            wanted = f"{self.num_envs} flags"
            raise ValueError(
                f"reset_mask is {which.dtype} of shape {which.shape}; expected {wanted}"
            )
        if not self._started and not which.all():
            raise ValueError("reset_mask leaves out rows that never started; expected all rows")
        return which

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        """Return a seed per row; None where the row's own stream goes on."""
        if isinstance(seed, int | np.integer):
            return [int(seed) + i for i in range(self.num_envs)]
        seeds: list[int | None] = [None] * self.num_envs
        if seed is not None:
            if not isinstance(seed, Iterable) or isinstance(seed, str | bytes):
                raise ValueError(f"seed = {shortened(seed)}; expected a seed or one for each world")
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds; expected one for each of {self.num_envs} worlds")
        if self._started:
            return seeds
        fresh = self.np_random.integers(_LARGEST_SEED, size=self.num_envs)
        return [int(fresh[i]) if s is None else s for i, s in enumerate(seeds)]

    def _infos(self, which: Bools) -> Infos:
        """Return batched infos [N, ...]; beside each key `_key` [N] says which rows have it."""
        shared, own = group_information(self.team_env, self._group.name, self.more_information)
        infos = shared | own
        return infos | {f"_{key}": which.copy() for key in infos}


def _one_team(
    num_envs: int,
    scenario: ScenarioLike,
    team: str | None,
    options: TeamOptions | None,
    keywords: dict[str, Any],
    *,
    restart: bool,
) -> tuple[TeamEnv, AgentGroup]:
    """Return the worlds and the one team that the caller drives."""
    if team == "both":
        raise ValueError("team = 'both'; expected 'camera' or 'target', or use MateParallelEnv")
    settings = resolve_settings(scenario, team, options, keywords)
    options = replace(settings.options, auto_reset=restart, with_state=False)
    env = TeamEnv(settings.scenario, options, num_envs)
    return env, AgentGroup(env, settings.groups[0])
