"""Tasks for BenchMARL; needs the extra `benchmarl`.

Importing this module also enters them in BenchMARL's registry, as `mate/mate_4v4_9` and
`selection/mate_4v4_9`.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import torch
import yaml
from benchmarl.environments import task_config_registry
from benchmarl.environments.common import Task, TaskClass
from tensordict import TensorDictBase
from torchrl.data import Composite
from torchrl.envs import EnvBase

from camcontrol.selection_env import SelectionOptions
from camsim.scenario.schema import load_scenario
from qplex_hrl.clients.torchrl_envs import MateTorchEnv, SelectionTorchEnv

__all__ = ["MateTask", "MateTaskClass", "SelectionTask", "SelectionTaskClass"]

GROUP = "cameras"


class _CameraTaskClass(TaskClass):  # type: ignore[misc, unused-ignore]  # BenchMARL's has no types
    """What both kinds of tasks share: specs of one world, rates in the log."""

    @abstractmethod
    def make_env(
        self, num_envs: int, continuous: bool, seed: int | None, device: torch.device | str
    ) -> EnvBase:
        """Return the worlds."""

    def get_env_fun(
        self,
        num_envs: int,
        continuous_actions: bool,
        seed: int | None,
        device: torch.device | str,
    ) -> Callable[[], EnvBase]:
        """Return a function that makes `num_envs` worlds."""
        return lambda: self.make_env(num_envs, continuous_actions, seed, device)

    def supports_discrete_actions(self) -> bool:
        """Both kinds do."""
        return True

    def has_render(self, env: EnvBase) -> bool:
        """Return False: `qplex-hrl render` makes the videos."""
        return False

    def group_map(self, env: EnvBase) -> dict[str, list[str]]:
        """Return the cameras' names."""
        names: dict[str, list[str]] = env.group_map
        return names

    def observation_spec(self, env: EnvBase) -> Composite:
        """Return the cameras' observations of one world."""
        return self._part(env, "observation")

    def action_mask_spec(self, env: EnvBase) -> Composite | None:
        """Return the masks of one world, if there are any."""
        return self._part(env, "action_mask")

    def info_spec(self, env: EnvBase) -> Composite | None:
        """Return the rates of one world."""
        return self._part(env, "info")

    def state_spec(self, env: EnvBase) -> Composite | None:
        """Return the state of one world, if it is wanted."""
        spec = env.full_observation_spec_unbatched
        return Composite(state=spec["state"].clone()) if "state" in spec.keys() else None  # noqa: SIM118

    def action_spec(self, env: EnvBase) -> Composite:
        """Return the cameras' actions of one world."""
        return env.full_action_spec_unbatched

    @staticmethod
    def log_info(batch: TensorDictBase) -> dict[str, float]:
        """Return the mean coverage of the frames that were collected."""
        coverage = batch["next", GROUP, "info", "coverage_rate"]
        return {"coverage_rate": float(coverage.mean())}

    @staticmethod
    def _part(env: EnvBase, key: str) -> Composite | None:
        spec = env.full_observation_spec_unbatched
        if key not in spec[GROUP].keys():  # noqa: SIM118  # a spec is no mapping
            return None
        group = Composite({key: spec[GROUP, key].clone()}, shape=spec[GROUP].shape)
        return Composite({GROUP: group}, shape=spec.shape)


class MateTaskClass(_CameraTaskClass):
    """Cameras that turn and zoom; the configuration's keys are those of `MateTorchEnv`."""

    def make_env(
        self, num_envs: int, continuous: bool, seed: int | None, device: torch.device | str
    ) -> MateTorchEnv:
        """Return the worlds; continuous actions leave the grid out."""
        settings = copy.deepcopy(self.config)
        if continuous:
            settings.pop("camera_action_levels", None)
        return MateTorchEnv(num_envs=num_envs, seed=seed, device=device, **settings)

    def supports_continuous_actions(self) -> bool:
        """Turn and zoom in degrees."""
        return True

    def supports_discrete_actions(self) -> bool:
        """On the grid, if the configuration has one."""
        return self.config.get("camera_action_levels") is not None

    def max_steps(self, env: EnvBase) -> int:
        """Return the frames of the longest episode."""
        return int(self.config.get("max_episode_steps") or _frames(self.config, None))

    @staticmethod
    def env_name() -> str:
        """Return the first part of the tasks' names."""
        return "mate"


class SelectionTaskClass(_CameraTaskClass):
    """Cameras that choose targets; the keys are `scenario` and those of `SelectionOptions`."""

    def make_env(
        self, num_envs: int, continuous: bool, seed: int | None, device: torch.device | str
    ) -> SelectionTorchEnv:
        """Return the worlds."""
        scenario, options = self._settings()
        return SelectionTorchEnv(scenario, num_envs, options, seed=seed, device=device)

    def supports_continuous_actions(self) -> bool:
        """A choice is none."""
        return False

    def max_steps(self, env: EnvBase) -> int:
        """Return the decisions of the longest episode."""
        _, options = self._settings()
        return -(-_frames(self.config, options.max_episode_steps) // options.decision_frames)

    def _settings(self) -> tuple[str, SelectionOptions]:
        options = dict(self.config)
        return options.pop("scenario"), SelectionOptions(**options)

    @staticmethod
    def env_name() -> str:
        """Return the first part of the tasks' names."""
        return "selection"


def _frames(config: Mapping[str, Any], limit: int | None) -> int:
    """Return the frames of an episode that the time limit ends: one more than it says (6.5)."""
    return (limit or load_scenario(config["scenario"]).max_episode_steps) + 1


class _CameraTask(Task):  # type: ignore[misc, unused-ignore]  # as above
    """Tasks by preset; the members' names are those of the presets."""

    def get_from_yaml(self, path: str | None = None) -> TaskClass:
        """Return the task with the values of a YAML file; None: those of this package."""
        source = files(__package__) / "tasks" / f"{self.env_name()}.yaml"
        with open(path or str(source), encoding="utf-8") as file:  # noqa: PTH123  # BenchMARL's
            config = yaml.safe_load(file)
        return self.get_task({"scenario": self.name.replace("V", "v").replace("_", "-"), **config})


class MateTask(_CameraTask):
    """Raw tasks."""

    MATE_1V1_9 = None
    MATE_1V2_9 = None
    MATE_2V2_9 = None
    MATE_2V4_9 = None
    MATE_4V2_0 = None
    MATE_4V2_9 = None
    MATE_4V4_0 = None
    MATE_4V4_9 = None
    MATE_4V8_9 = None
    MATE_8V8_9 = None

    @staticmethod
    def associated_class() -> type[TaskClass]:
        """Return the class of these tasks."""
        return MateTaskClass


class SelectionTask(_CameraTask):
    """Tasks of target selection."""

    MATE_1V1_9 = None
    MATE_1V2_9 = None
    MATE_2V2_9 = None
    MATE_2V4_9 = None
    MATE_4V2_0 = None
    MATE_4V2_9 = None
    MATE_4V4_0 = None
    MATE_4V4_9 = None
    MATE_4V8_9 = None
    MATE_8V8_9 = None

    @staticmethod
    def associated_class() -> type[TaskClass]:
        """Return the class of these tasks."""
        return SelectionTaskClass


for _task in (*MateTask, *SelectionTask):
    task_config_registry[f"{_task.env_name()}/{_task.name.lower()}"] = _task
