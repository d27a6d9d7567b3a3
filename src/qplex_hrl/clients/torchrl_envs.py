"""Batched worlds as TorchRL environments; needs the extra `torchrl`.

`MateTorchEnv` is `camsim.TeamEnv` frame by frame, `SelectionTorchEnv` is
`camcontrol.selection_env.SelectionEnv` decision by decision. Both run all worlds in one compiled
call, and have one batch dimension.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Binary, Bounded, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

from camcontrol.selection_env import EnvOutput, SelectionEnv, SelectionOptions
from camsim.arrays import Bools, UInt64s
from camsim.bounds import check_choices
from camsim.envs.adapters.agent_group import AgentGroup
from camsim.envs.adapters.construction import ScenarioLike, resolve_settings
from camsim.envs.team_env import TeamEnv, TeamOptions, TeamOutput
from camsim.scenario.schema import Scenario, load_scenario

__all__ = ["MateTorchEnv", "SelectionTorchEnv"]

STATES = ("normalized", "raw", "none")
"""What `state` may be."""

_PLAIN = SelectionOptions(lookahead=False, coverage_per_target=False)


class _BatchedEnv(EnvBase):  # type: ignore[misc, unused-ignore]  # TorchRL's has no types
    """N worlds behind TorchRL's calls: reset, also of some rows, seeds, root ends, groups.

    Every call returns new tensors, one copy of each buffer: rollouts keep what they are given.
    """

    def __init__(self, num_envs: int, device: torch.device | str) -> None:
        super().__init__(device=torch.device(device), batch_size=torch.Size([num_envs]))
        self._seeds: UInt64s | None = None
        self._started = False

    def _reset(self, tensordict: TensorDictBase | None = None, **_: object) -> TensorDictBase:
        which = None if tensordict is None else tensordict.get("_reset", None)
        rows = np.ones(self._n, np.bool_) if which is None else which.reshape(-1).cpu().numpy()
        return self._shown(self._restart(rows, self._taken_seeds()))

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        return self._shown(self._advance(tensordict), stepped=True)

    def _set_seed(self, seed: int | None) -> None:
        """Let row i play, from the next reset on, the episodes of seed + i."""
        if seed is not None:
            self._seeds = np.uint64(seed) + np.arange(self._n, dtype=np.uint64)

    def _taken_seeds(self) -> UInt64s | None:
        """Return the seeds that were set, once; at first some from PyTorch's generator.

        Afterwards every row goes on with its own random stream.
        """
        given, self._seeds = self._seeds, None
        if given is None and not self._started:
            given = torch.randint(2**62, (self._n,)).numpy().astype(np.uint64)
        self._started = True
        return given

    @property
    def _n(self) -> int:
        return int(self.batch_size[0])

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        """Return a copy of a buffer."""
        return torch.from_numpy(array).to(self.device, copy=True)

    def _ends(self, output: TeamOutput | EnvOutput, stepped: bool) -> dict[str, Tensor]:
        none = torch.zeros((self._n, 1), dtype=torch.bool, device=self.device)
        if not stepped:
            return {"done": none, "terminated": none.clone(), "truncated": none.clone()}
        terminated = self._tensor(output.terminated)[:, None]
        truncated = self._tensor(output.truncated)[:, None]
        return {"done": terminated | truncated, "terminated": terminated, "truncated": truncated}

    def _done_specs(self) -> Composite:
        names = ("done", "terminated", "truncated")
        flag = {name: Categorical(2, (self._n, 1), self.device, torch.bool) for name in names}
        return Composite(flag, shape=self.batch_size, device=self.device)

    def _unbounded(self, *shape: int, dtype: torch.dtype = torch.float32) -> Unbounded:
        return Unbounded((self._n, *shape), self.device, dtype)

    def _group(self, content: Mapping[str, Any], count: int) -> Composite:
        return Composite(dict(content), shape=(self._n, count), device=self.device)

    def _tensordict(self, content: dict[str, Any]) -> TensorDict:
        return TensorDict(content, self.batch_size, self.device)

    # What the two environments differ in.

    def _restart(self, which: Bools, seeds: UInt64s | None) -> Any:  # Any: the world's own output
        raise NotImplementedError

    def _advance(self, tensordict: TensorDictBase) -> Any:  # Any: as above
        raise NotImplementedError

    def _shown(self, output: Any, *, stepped: bool = False) -> TensorDict:  # Any: as above
        raise NotImplementedError


class MateTorchEnv(_BatchedEnv):
    """N raw worlds, frame by frame; each driven team is one group, `cameras` or `targets`.

    Per group: `observation` [N, A, D] float32, `action` [N, A, 2] (cameras: turn and zoom in
    degrees; targets: displacement), or integers [N, A] with action levels, `reward` [N, A, 1] and
    `info` with `coverage_rate`, `real_coverage_rate` and `mean_transport_rate` [N, A, 1]. At the
    root: `state` [N, S] float32, `done`, `terminated` (everything was delivered) and `truncated`
    (the time limit struck) [N, 1]. After an end TorchRL resets those rows.
    """

    def __init__(
        self,
        scenario: ScenarioLike = "MATE-4v4-9",
        num_envs: int = 1,
        team: str | None = None,
        options: TeamOptions | None = None,
        *,
        state: str = "normalized",
        seed: int | None = None,
        device: torch.device | str = "cpu",
        **keywords: Any,  # checked by resolve_settings
    ) -> None:
        """Build the worlds.

        Args:
            scenario: a scenario, a preset's name or a file's path.
            num_envs: worlds N.
            team: camera, target or both; None: the cameras, or the targets where there are none.
            options: see `TeamOptions`; which teams are driven follows from `team`.
            state: normalized to about [-1, 1] (world 9.4), raw or none.
            seed: as `set_seed(seed)`.
            device: of the tensors; the worlds run on the CPU.
            keywords: fields of `TeamOptions` and keys of the scenario to change. With
                `max_episode_steps=k` step number k truncates the episode.

        Raises:
            ValueError: a setting is unknown or not allowed.
        """
        check_choices((("state", state, STATES),))
        settings = resolve_settings(scenario, team, options, keywords)
        raw = state == "raw"
        chosen = replace(settings.options, auto_reset=False, with_state=raw, dtype="float32")
        super().__init__(num_envs, device)
        self.team_env = TeamEnv(settings.scenario, chosen, num_envs)
        self._groups = {f"{name}s": AgentGroup(self.team_env, name) for name in settings.groups}
        self.group_map = {name: group.agents for name, group in self._groups.items()}
        self._state = state
        self._make_specs()
        self._set_seed(seed)

    def _make_specs(self) -> None:
        observed: dict[str, Any] = {}
        actions, rewards = dict[str, Any](), dict[str, Any]()
        for name, group in self._groups.items():
            count = group.count
            info = {key: self._unbounded(count, 1) for key in _RATES}
            content = {
                "observation": self._box(group.low, group.high, count),
                "info": self._group(info, count),
            }
            observed[name] = self._group(content, count)
            actions[name] = self._group({"action": self._action_spec(group)}, count)
            rewards[name] = self._group({"reward": self._unbounded(count, 1)}, count)
        if self._state != "none":
            observed["state"] = self._unbounded(len(self.team_env.state_bounds[0]))
        whole = {"shape": self.batch_size, "device": self.device}
        self.observation_spec = Composite(observed, **whole)
        self.action_spec = Composite(actions, **whole)
        self.reward_spec = Composite(rewards, **whole)
        self.done_spec = self._done_specs()

    def _box(self, low: NDArray[Any], high: NDArray[Any], count: int) -> Bounded:
        shape = (self._n, count, len(low))
        edges = (torch.from_numpy(edge.astype(np.float32)) for edge in (low, high))
        limits = (edge.expand(shape).clone() for edge in edges)
        return Bounded(*limits, shape=shape, device=self.device, dtype=torch.float32)

    def _action_spec(self, group: AgentGroup) -> Categorical | Bounded:
        if group.levels is not None:
            shape = torch.Size([self._n, group.count])
            return Categorical(group.levels**2, shape, self.device, torch.int64)
        return self._box(-group.limits, group.limits, group.count)

    def _restart(self, which: Bools, seeds: UInt64s | None) -> TeamOutput:
        return self.team_env.restart(which, seeds)

    def _advance(self, tensordict: TensorDictBase) -> TeamOutput:
        actions = {
            group.argument: tensordict[name, "action"].cpu().numpy()
            for name, group in self._groups.items()
        }
        return self.team_env.step(**actions)

    def _shown(self, output: TeamOutput, *, stepped: bool = False) -> TensorDict:
        world = self.team_env.sim.view.world
        content: dict[str, Any] = self._ends(output, stepped)
        rates = {name: self._tensor(getattr(world, name)).float() for name in _RATES}
        for name, group in self._groups.items():
            shape = (self._n, group.count, 1)
            info = {key: rate[:, None, None].expand(shape) for key, rate in rates.items()}
            shown: dict[str, Any] = {"observation": self._tensor(group.obs(output)), "info": info}
            if stepped:
                shown["reward"] = self._tensor(group.reward(output)).float()[:, :, None]
            content[name] = TensorDict(shown, shape[:2], self.device)
        if self._state == "raw":
            content["state"] = self._tensor(output.state)
        elif self._state == "normalized":
            content["state"] = self._tensor(self.team_env.normalized_state()).float()
        return self._tensordict(content)


_RATES = ("coverage_rate", "real_coverage_rate", "mean_transport_rate")


class SelectionTorchEnv(_BatchedEnv):
    """N worlds whose cameras choose targets; one step is a decision of several frames.

    In the group `cameras`: `observation` [N, C, D] float32, `action_mask` [N, C, U], `action`
    [N, C] integers, `reward` [N, C, 1] (the team's, for each), and `info` with `coverage_rate` (at
    the decision's last frame) and `frames` (that the decision had) [N, C, 1]. At the root: `state`
    [N, S] float32 in about [-1, 1], `done`, `terminated` (everything was delivered) and `truncated`
    (the time limit struck) [N, 1]. After an end TorchRL resets those rows.
    """

    def __init__(
        self,
        scenario: Scenario | str = "MATE-4v4-9",
        num_envs: int = 1,
        options: SelectionOptions = _PLAIN,
        *,
        seed: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Build the worlds.

        Args:
            scenario: a scenario, a preset's name or a file's path.
            num_envs: worlds N.
            options: what cameras choose from, know and earn; `auto_reset` has no effect. The
                default looks not ahead: features of plans cost more than all else.
            seed: as `set_seed(seed)`.
            device: of the tensors; the worlds run on the CPU.

        Raises:
            ValueError: an option is out of range, or the scenario has no cameras.
        """
        world = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        super().__init__(num_envs, device)
        self.selection_env = SelectionEnv(world, replace(options, auto_reset=False), num_envs)
        self.group_map = {"cameras": [f"camera_{c}" for c in range(self.selection_env.n_agents)]}
        self._make_specs()
        self._set_seed(seed)

    def _make_specs(self) -> None:
        env, count = self.selection_env, self.selection_env.n_agents
        info = {name: self._unbounded(count, 1) for name in ("coverage_rate", "frames")}
        cameras = {
            "observation": self._unbounded(count, env.obs_size),
            "action_mask": Binary(
                shape=(self._n, count, env.n_actions), device=self.device, dtype=torch.bool
            ),
            "info": self._group(info, count),
        }
        whole = {"shape": self.batch_size, "device": self.device}
        self.observation_spec = Composite(
            {"cameras": self._group(cameras, count), "state": self._unbounded(env.state_size)},
            **whole,
        )
        shape = torch.Size([self._n, count])
        action = Categorical(env.n_actions, shape, self.device, torch.int64)
        self.action_spec = Composite({"cameras": self._group({"action": action}, count)}, **whole)
        reward = {"reward": self._unbounded(count, 1)}
        self.reward_spec = Composite({"cameras": self._group(reward, count)}, **whole)
        self.done_spec = self._done_specs()

    def _restart(self, which: Bools, seeds: UInt64s | None) -> EnvOutput:
        if seeds is not None and which.all():
            return self.selection_env.reset(seeds)
        return self.selection_env.restart(which, seeds)

    def _advance(self, tensordict: TensorDictBase) -> EnvOutput:
        return self.selection_env.step(tensordict["cameras", "action"].cpu().numpy())

    def _shown(self, output: EnvOutput, *, stepped: bool = False) -> TensorDict:
        shape = (self._n, self.selection_env.n_agents)

        def each(values: NDArray[Any]) -> Tensor:
            return self._tensor(values).float()[:, None, None].expand(*shape, 1)

        coverage = output.coverage if stepped else output.initial_coverage
        cameras: dict[str, Any] = {
            "observation": self._tensor(output.obs),
            "action_mask": self._tensor(output.avail_actions),
            "info": {"coverage_rate": each(coverage), "frames": each(output.frames)},
        }
        self.full_action_spec["cameras", "action"].update_mask(cameras["action_mask"])
        if stepped:
            cameras["reward"] = each(output.reward)
        content: dict[str, Any] = self._ends(output, stepped)
        content["cameras"] = TensorDict(cameras, shape, self.device)
        content["state"] = self._tensor(output.state)
        return self._tensordict(content)
