"""Tasks of BenchMARL: what they say of their worlds, and a short training with each algorithm."""

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("benchmarl", reason="BenchMARL is not installed")

from benchmarl import algorithms
from benchmarl.environments import task_config_registry
from benchmarl.environments.common import Task
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models import MlpConfig

from qplex_hrl.clients.benchmarl_tasks import MateTask, SelectionTask

LIMIT = 40  # frames of an episode


def test_every_task_is_in_the_registry_and_has_a_world() -> None:
    for tasks in (MateTask, SelectionTask):
        for each in tasks:
            assert task_config_registry[f"{tasks.env_name()}/{each.name.lower()}"] is each
            task = each.get_from_yaml()
            env = task.get_env_fun(2, continuous_actions=False, seed=0, device="cpu")()
            assert env.batch_size == (2,)
            assert task.observation_spec(env).shape == ()
            assert task.action_spec(env)["cameras", "action"].shape == (
                len(env.group_map["cameras"]),
            )
            assert (task.action_mask_spec(env) is None) == (tasks is MateTask)


def test_steps_are_frames_or_decisions() -> None:
    assert MateTask.MATE_4V4_9.get_from_yaml().max_steps(None) == 1000
    assert SelectionTask.MATE_4V4_9.get_from_yaml().max_steps(None) == 200


def small(folder: Path) -> ExperimentConfig:
    config = ExperimentConfig.get_from_yaml()
    values: dict[str, Any] = {
        "loggers": ["csv"],
        "create_json": True,
        "max_n_iters": 3,
        "max_n_frames": None,
        "on_policy_collected_frames_per_batch": 64,
        "on_policy_n_envs_per_worker": 4,
        "on_policy_minibatch_size": 32,
        "on_policy_n_minibatch_iters": 1,
        "off_policy_collected_frames_per_batch": 64,
        "off_policy_n_envs_per_worker": 4,
        "off_policy_train_batch_size": 16,
        "off_policy_n_optimizer_steps": 1,
        "off_policy_memory_size": 256,
        "evaluation": True,
        "evaluation_interval": 128,
        "evaluation_episodes": 2,
        "render": False,
        "checkpoint_interval": 64,
        "save_folder": str(folder),
    }
    for key, value in values.items():
        assert hasattr(config, key)
        setattr(config, key, value)
    return config


@pytest.mark.slow
@pytest.mark.parametrize("task", [MateTask.MATE_4V4_9, SelectionTask.MATE_4V4_9])
@pytest.mark.parametrize("algorithm", ["Vdn", "Qmix", "Mappo", "Masac"])
def test_an_algorithm_trains_evaluates_and_writes_a_checkpoint(
    task: Task, algorithm: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    chosen = task.get_from_yaml()
    chosen.config["max_episode_steps"] = LIMIT
    experiment = Experiment(
        task=chosen,
        algorithm_config=getattr(algorithms, f"{algorithm}Config").get_from_yaml(),
        model_config=MlpConfig.get_from_yaml(),
        critic_model_config=MlpConfig.get_from_yaml(),
        seed=0,
        config=small(tmp_path),
    )
    experiment.run()
    assert list(tmp_path.rglob("checkpoint*.pt"))
    logged = {path.stem for path in tmp_path.rglob("*.csv")}
    assert any("coverage_rate" in name for name in logged), logged
    assert any("eval" in name and "reward" in name for name in logged), logged
